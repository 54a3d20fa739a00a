"""`openenv-lite check`: the contract's laws, put to the test on an environment or a server."""

import importlib
from typing import Any

import click

from openenv_lite.cli.arguments import env_option
from openenv_lite.errors import ConfigurationError

__all__ = ["check"]


@click.command()
@click.argument("target", required=False)
@env_option
@click.option(
    "--actions",
    metavar="MODULE:NAME",
    help="A Hypothesis strategy of legal actions, or a function from what was seen last to one.",
)
@click.option("--law", "laws", multiple=True, metavar="NAME", help="Only this one; repeatable.")
@click.option("--skip", multiple=True, metavar="NAME", help="Leave this one out; repeatable.")
@click.option("--seed", default=0, show_default=True, help="Another one tries other examples.")
@click.option(
    "--budget", default=12.0, show_default=True, metavar="SECONDS", help="For all laws together."
)
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
@click.option("--list", "lists", is_flag=True, help="Print the laws and test nothing.")
def check(target: str | None, arguments: dict[str, Any], **options: Any) -> int:
    """Put the contract's laws to the test on TARGET; the exit code is 1 if one is broken.

    TARGET is a module, a module:name, a folder with an openenv.yaml, or the URL of any running
    server of the OpenEnv protocol.
    """
    if target is None and not options["lists"]:
        raise click.UsageError("Missing argument 'TARGET'.")
    try:  # Hypothesis takes longer to load than a server to start
        verdicts = importlib.import_module("openenv_lite.cli.verdicts")
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"check needs {error.name}: run pip install 'openenv-lite[testing]'"
        ) from error
    code: int = verdicts.tell(target, arguments, options)
    return code
