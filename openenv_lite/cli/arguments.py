"""What several commands take."""

import json
from collections.abc import Callable
from typing import Any

import click

__all__ = ["control_token_option", "env_option"]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class _KeyValue(click.ParamType):
    """`KEY=VALUE`, the value as JSON where it is JSON, else as text."""

    name = "KEY=VALUE"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, Any]:
        """`"n=3"` as `("n", 3)`, `"id=CartPole-v1"` as `("id", "CartPole-v1")`."""
        key, separator, text = str(value).partition("=")
        if not separator or not key.isidentifier():
            self.fail(f"{value!r} is not KEY=VALUE.", param, ctx)
        try:
            return key, json.loads(text)
        except ValueError:
            return key, text


def _as_dict(context: Any, parameter: Any, pairs: Any) -> dict[str, Any]:
    return dict(pairs)


env_option: Decorator = click.option(
    "--env",
    "arguments",
    multiple=True,
    type=_KeyValue(),
    callback=_as_dict,
    help="Argument of the environment's constructor or factory; may be given several times.",
)

control_token_option: Decorator = click.option(
    "--control-token",
    envvar="OPENENV_CONTROL_TOKEN",
    show_envvar=True,
    help="Bearer token of a trainer. Prefer the variable: others can read a command line.",
)
