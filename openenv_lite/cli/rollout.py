"""`openenv-lite rollout`: play episodes against a server, or an environment in this process."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from starlette.applications import Starlette

from openenv_lite import codec
from openenv_lite.cli.arguments import control_token_option, env_option
from openenv_lite.cli.episodes import Episode, Rollout, roll_out
from openenv_lite.cli.policies import policy_named
from openenv_lite.cli.report import Summary
from openenv_lite.client import GenericEnvClient
from openenv_lite.errors import ConfigurationError
from openenv_lite.loading import ASGIApp, Plan

__all__ = ["play_and_report", "rollout"]

_SCHEMES = ("http://", "https://", "ws://", "wss://")


@click.command()
@click.argument("target")
@env_option
@click.option("--episodes", type=click.IntRange(1), default=100, show_default=True)
@click.option(
    "--policy", default="random", show_default=True, help="random, or MODULE:FUNC(observation, rng)"
)
@click.option(
    "--concurrency", type=click.IntRange(1), default=1, show_default=True, help="Sessions at once."
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of the first episode; each further one has the next.",
)
@click.option(
    "--max-steps",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Cut an episode off after this many steps.",
)
@click.option("--out", type=click.Path(dir_okay=False), help="File for one JSON line an episode.")
@control_token_option
def rollout(target: str, **options: Any) -> None:
    """Play episodes of TARGET and tell what they came to.

    TARGET is the URL of a running server, or what `serve` takes, played within this process.
    Exits with 1 if an episode failed.
    """
    connect = _connector(target, options)
    with _writing(options["out"]) as write:
        summary = asyncio.run(play_and_report(connect, write, **options))
    if summary.failures:
        raise click.exceptions.Exit(1)


async def play_and_report(
    connect: Callable[[], GenericEnvClient], write: Callable[[Episode], None], **options: Any
) -> Summary:
    """Play with a progress bar, then print the table; `options` are those of the command."""
    client = connect()
    console = Console()
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(_lifespan(client.target.app))
        try:
            policy = await policy_named(options["policy"], client)
        finally:
            await client.close()
        seeds = range(options["seed"], options["seed"] + options["episodes"])
        limits = options["concurrency"], options["max_steps"]
        summary = Summary()
        with _progress(console, len(seeds)) as advance:

            def finished(episode: Episode) -> None:
                summary.add(episode)
                write(episode)
                advance()

            await roll_out(Rollout(connect, policy, seeds, *limits), finished)
    summary.print(console)
    return summary


def _connector(target: str, options: dict[str, Any]) -> Callable[[], GenericEnvClient]:
    arguments, token = options["arguments"], options["control_token"]
    if target.startswith(_SCHEMES):
        if arguments:
            raise ConfigurationError("A running server has its arguments: give --env to `serve`")
        headers = {"Authorization": f"Bearer {token}"} if token else None
        return lambda: GenericEnvClient(base_url=target, headers=headers)
    plan = Plan(target=target, arguments=arguments, max_concurrent_envs=options["concurrency"])
    app = plan.app()
    return lambda: GenericEnvClient(app=app)


def _lifespan(app: ASGIApp | None) -> contextlib.AbstractAsyncContextManager[Any]:
    """Starts and stops an app of this process; a server elsewhere does so itself."""
    if isinstance(app, Starlette):
        return app.router.lifespan_context(app)
    return contextlib.nullcontext()


@contextlib.contextmanager
def _writing(path: str | None) -> Iterator[Callable[[Episode], None]]:
    if path is None:
        yield lambda episode: None
        return
    try:
        file = open(path, "wb")  # noqa: SIM115  closed below; only opening may fail so
    except OSError as error:
        raise ConfigurationError(f"Cannot write {path}: {error.strerror}") from None
    with file:
        yield lambda episode: file.writelines((codec.encode(episode), b"\n"))


@contextlib.contextmanager
def _progress(console: Console, total: int) -> Iterator[Callable[[], None]]:
    columns = (TextColumn("episodes"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("episodes", total=total)
        yield lambda: progress.advance(task)
