"""`openenv-lite validate`: is a package, or a running server, ready for others?"""

import importlib

import click

from openenv_lite.cli.arguments import Decorator
from openenv_lite.errors import ConfigurationError

__all__ = ["validate"]


def _seconds(name: str, default: float, told: str) -> Decorator:
    kind = click.FloatRange(0, min_open=True)
    return click.option(
        name, type=kind, default=default, show_default=True, metavar="SECONDS", help=told
    )


@click.command()
@click.argument("target", metavar="DIR|URL")
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
@_seconds("--budget", 12.0, "For the contract's laws together.")
@_seconds("--timeout", 60.0, "For each import, each start of a server, and the rollout.")
def validate(target: str, as_json: bool, budget: float, timeout: float) -> int:
    """Lead an environment's folder, or the URL of a running server, through every gate.

    Of a folder: its files and manifest, imports, a server, what agents find there, the rollout,
    production mode, and the contract's laws. The exit code is 1 if a gate fails, else 0.
    """
    try:  # what reads YAML is installed with an extra
        readiness = importlib.import_module("openenv_lite.cli.readiness")
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"validate needs {error.name}: run pip install 'openenv-lite[validate]'"
        ) from error
    code: int = readiness.tell(target, as_json, (timeout, budget))
    return code
