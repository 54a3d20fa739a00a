"""The package on our server."""

from openenv_lite.validation.endpoints import json_of
from openenv_lite.validation.gate import Fault, Unmet, gate
from openenv_lite.validation.site import Package

__all__ = ["environment_listed", "server_start"]


@gate("`openenv-lite serve` serves it, and `/health` says healthy", after=("package_import",))
def server_start(package: Package) -> str:
    """A server of it in simulation mode, which the gates behind this one use."""
    package.start()
    health = json_of(package, "GET", "/health")
    if health != {"status": "healthy"}:
        raise Fault(
            f"GET /health says {health!r}", 'Let a server of your own answer {"status": "healthy"}'
        )
    return f"healthy at {package.url}"


@gate("`/list_environments` names it as the manifest does", after=("server_start",))
def environment_listed(package: Package) -> str:
    """Trainers and registries find the environment by this name."""
    name = package.manifest.get("name")
    if not isinstance(name, str):
        raise Unmet("the manifest names nothing")
    listed = json_of(package, "GET", "/list_environments")
    if not isinstance(listed, list) or name not in listed:
        module, _ = package.app
        raise Fault(
            f"The manifest says {name!r}, the server {listed!r}",
            f"Say create_app(..., env_name={name!r}) in {module.replace('.', '/')}.py, or mend "
            "`name` in openenv.yaml",
        )
    return name
