"""`openenv-lite demo`: both modes, served and driven over real sockets."""

import asyncio
import contextlib
import importlib.util
from collections.abc import Iterator
from typing import Any

import click
import httpx

from openenv_lite.cli.rollout import play_and_report
from openenv_lite.client import GenericEnvClient, MCPToolClient
from openenv_lite.errors import ConfigurationError
from openenv_lite.validation.processes import serving

__all__ = ["demo"]

_NEEDS = ("gymnasium", "numpy", "PIL")
_SESSIONS = 4
_START_S = 60.0


@click.command()
@click.option("--episodes", type=click.IntRange(1), default=1000, show_default=True)
def demo(episodes: int) -> None:
    """Serve Blackjack and roll out episodes; serve echo in production and call its tools."""
    missing = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigurationError(f"{missing[0]} is missing: run pip install 'openenv-lite[demo]'")
    with _served("gym_env", "simulation") as url:
        failed = _roll_out(url, episodes)
    with _served("echo_env", "production") as url:
        _call_tools(url)
        refused = _show_that_nobody_resets(url)
    if failed or not refused:
        raise click.exceptions.Exit(1)


@contextlib.contextmanager
def _served(target: str, mode: str) -> Iterator[str]:
    """The URL of a server in a process of its own, whose complaints are told in the end."""
    words = (target, "--mode", mode, "--max-concurrent-envs", str(2 * _SESSIONS))
    with serving(words, _START_S) as (program, url):
        try:
            if url is None:
                raise click.ClickException("The server did not start: what it said stands above")
            click.echo(f"\n{program.out.strip()}")
            yield url
        finally:
            click.echo(program.ended().err, nl=False, err=True)


def _roll_out(url: str, episodes: int) -> bool:
    """Play with a random policy over the socket; whether an episode failed."""
    click.echo(f"A random policy plays {episodes:,} episodes over {_SESSIONS} WebSockets:")
    options: dict[str, Any] = {"episodes": episodes, "concurrency": _SESSIONS, "policy": "random"}
    summary = asyncio.run(
        play_and_report(
            lambda: GenericEnvClient(base_url=url),
            lambda episode: None,
            **options,
            seed=0,
            max_steps=1000,
        )
    )
    return bool(summary.failures)


def _call_tools(url: str) -> None:
    with MCPToolClient(base_url=url).sync() as client:
        click.echo("Its tools, as an agent sees them:")
        for tool in client.list_tools():
            click.echo(f"  {tool.name}: {tool.description}")
        for name in ("echo_message", "echo_with_length", "echo_loudly"):
            value = client.call_tool(name, message="Hello")
            click.echo(f"  {name}(message='Hello') -> {value!r}")


def _show_that_nobody_resets(url: str) -> bool:
    status = httpx.post(f"{url}/reset").status_code
    click.echo(f"  POST /reset -> {status}: in production there is no such route")
    return status == httpx.codes.NOT_FOUND
