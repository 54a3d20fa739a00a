"""The package as agents meet it: nobody there can reset."""

from openenv_lite.client import GenericEnvClient
from openenv_lite.errors import OpenEnvError
from openenv_lite.validation.endpoints import CONTROLS, paths_of
from openenv_lite.validation.gate import Fault, gate
from openenv_lite.validation.site import PATIENCE, Package, Site

__all__ = ["production"]

_NOT_THERE = 404
_REMEDY = "Leave mode= out of create_app, so that OPENENV_MODE decides, and add no such route"


@gate(
    "in production there is no control: no route of it, and no reset over `/ws`",
    after=("server_start",),
)
def production(package: Package) -> str:
    """The same folder, served once more."""
    with package.served("production") as url:
        site = Site(url, package.limits)
        there = [path for path, method in CONTROLS.items() if _is_there(site, method, path)]
        if there:
            raise Fault(f"In production there are {', '.join(there)}", _REMEDY)
        if _resets(url):
            raise Fault("In production a reset over /ws succeeds", _REMEDY)
    return "no control"


def _is_there(site: Site, method: str, path: str) -> bool:
    return path in paths_of(site) or site.fetch(method, path).status_code != _NOT_THERE


def _resets(url: str) -> bool:
    try:
        with GenericEnvClient(url, **PATIENCE).sync() as env:
            env.reset()
    except OpenEnvError:
        return False
    return True
