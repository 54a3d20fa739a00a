"""The group of commands, and the one door by which an error leaves it: one line, one code."""

import importlib
import sys
from typing import Any

import click

from openenv_lite import __version__
from openenv_lite.errors import ConfigurationError, OpenEnvError
from openenv_lite.printable import printable

__all__ = ["COMMANDS", "cli"]

COMMANDS = ("new", "validate", "serve", "mcp", "rollout", "replay", "check", "demo")
"""Each is a function of its name in a module of its name."""

_USAGE, _FAILURE, _INTERRUPTED = 2, 1, 130


class _Commands(click.Group):
    """Loads a command with all that it needs once it is named; tells every error in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, if there is one.

        Raises:
            ConfigurationError: It needs a package that is not there.
        """
        if cmd_name not in COMMANDS:
            return None
        try:
            module = importlib.import_module(f"openenv_lite.cli.{cmd_name}")
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"{error.name} is missing: run pip install 'openenv-lite[cli]'"
            ) from error
        command: click.Command = getattr(module, cmd_name)
        return command

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command and exit: 0, 1 for a failure, 2 for usage, 130 if interrupted."""
        extra["standalone_mode"] = False
        try:
            code = super().main(*args, **extra)
        except click.Abort:
            code = _INTERRUPTED
        except click.ClickException as error:
            code = _tell(_with_help(error), error.exit_code)
        except ConfigurationError as error:
            code = _tell(error.message, _USAGE)
        except OpenEnvError as error:
            code = _tell(f"{type(error).__name__}: {error.message}", _FAILURE)
        sys.exit(code if isinstance(code, int) else 0)


def _with_help(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    text = error.format_message()
    return text if context is None else f"{text} See {context.command_path} --help"


def _tell(text: str, code: int) -> int:
    click.echo(f"openenv-lite: {printable(' '.join(text.split()))}", err=True)
    return code


@click.group(cls=_Commands, invoke_without_command=True)
@click.version_option(__version__, prog_name="openenv-lite")
@click.pass_context
def cli(context: click.Context) -> None:
    """Environments for agentic RL: serve them, roll episodes out, see a demo."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
