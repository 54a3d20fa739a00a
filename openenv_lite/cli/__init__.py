"""The command `openenv-lite`: serve an environment, roll episodes out, see a demo."""

import importlib
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; without its dependencies, say how to get them."""
    try:
        commands = importlib.import_module("openenv_lite.cli.commands")
    except ModuleNotFoundError as error:
        sys.stderr.write(
            f"openenv-lite: {error.name} is missing: run pip install 'openenv-lite[cli]'\n"
        )
        sys.exit(1)
    commands.cli()
