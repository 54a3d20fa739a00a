"""What several commands take."""

import json
import logging
from collections.abc import Callable
from typing import Any

import click

__all__ = ["Decorator", "control_token_option", "env_option", "log_at", "log_level_option"]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _as_dict(context: Any, parameter: Any, pairs: tuple[str, ...]) -> dict[str, Any]:
    return dict(_key_and_value(pair) for pair in pairs)


def _key_and_value(pair: str) -> tuple[str, Any]:
    """`"n=3"` as `("n", 3)`; what is not JSON is text, as in `"id=CartPole-v1"`."""
    key, separator, text = pair.partition("=")
    if not separator or not key.isidentifier():
        raise click.BadParameter(f"{pair!r} is not KEY=VALUE.")
    try:
        return key, json.loads(text)
    except ValueError:
        return key, text


env_option: Decorator = click.option(
    "--env",
    "arguments",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_as_dict,
    help="Argument of the environment's constructor or factory; may be given several times.",
)

control_token_option: Decorator = click.option(
    "--control-token",
    envvar="OPENENV_CONTROL_TOKEN",
    show_envvar=True,
    help="Bearer token of a trainer. Prefer the variable: others can read a command line.",
)

log_level_option: Decorator = click.option(
    "--log-level",
    type=click.Choice(("critical", "error", "warning", "info", "debug")),
    default="warning",
    envvar="LOG_LEVEL",
    show_default=True,
    show_envvar=True,
)


def log_at(level: str) -> None:
    """Log to stderr from this level on."""
    logging.basicConfig(level=level.upper(), format="%(levelname)s %(name)s: %(message)s")
