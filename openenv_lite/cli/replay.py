"""`openenv-lite replay`: play a recording again and tell where what happens differs."""

import asyncio
import collections
import contextlib
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Any, Self

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from starlette.applications import Starlette

from openenv_lite.cli.arguments import control_token_option, env_option
from openenv_lite.client import GenericEnvClient
from openenv_lite.errors import ConfigurationError
from openenv_lite.loading import ASGIApp, Plan
from openenv_lite.printable import printable
from openenv_lite.recording.reading import Story, stories
from openenv_lite.recording.replaying import Finding, Verdict, verdicts
from openenv_lite.types import ServerMode

__all__ = ["replay"]

_SCHEMES = ("http://", "https://", "ws://", "wss://", "unix://")
_HERE = "http://in-process"
"""What a client calls an app of its own process, which nobody else can reach."""
_MOST_SHOWN = 10
_LONGEST_SHOWN = 200


@click.command()
@click.argument("recording", type=click.Path())
@click.argument("target", required=False)
@env_option
@control_token_option
def replay(
    recording: str, target: str | None, arguments: dict[str, Any], control_token: str | None
) -> None:
    """Play a RECORDING again, on TARGET, and tell where what happens differs.

    RECORDING is a file, or a folder of files, that `serve --record` or a client's `record=` wrote.
    TARGET is the URL of a running server, or what `serve` takes. Nothing that the recording names
    is run or called.

    Exits with 1 if an episode differs. One that has no seed to begin from is told, and not counted.
    """
    found = stories(recording)
    if target is None:
        raise ConfigurationError(_unnamed(found[0]))
    counts = asyncio.run(_play_all(found, _Places(target, arguments, control_token)))
    if not counts:
        raise ConfigurationError(f"{recording} holds no episodes")
    if counts[Finding.DIFFERS]:
        raise click.exceptions.Exit(1)


def _unnamed(story: Story) -> str:
    """What to do where no target is named."""
    names = (event.environment for event in story.events() if event.environment)
    recorded = next(names, _HERE)
    if recorded == _HERE:
        return "The recording does not tell what was played: name the TARGET"
    return f"It was recorded on {_cut(recorded)}: name that as TARGET to play there"


async def _play_all(found: Sequence[Story], places: "_Places") -> "collections.Counter[Finding]":
    """Play with a progress bar, then print the tables; how many episodes came to what."""
    console, report = Console(), _Report()
    columns = (TextColumn("lines"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        async with places:
            with Progress(*columns, console=console, transient=True) as progress:
                task = progress.add_task("lines", total=sum(len(story.places) for story in found))
                for story in found:
                    async for verdict in _play(story, places):
                        report.add(verdict)
                        progress.advance(task, 2 + len(verdict.trajectory.acts))
    finally:  # what was found by then is told, even if it ends in an error
        report.print(console)
    return report.counts


async def _play(story: Story, places: "_Places") -> AsyncIterator[Verdict]:
    for first in story.trajectories():
        async with await places.player(first.mode) as player:
            async for verdict in verdicts(story, player):
                yield verdict
        return


class _Places:
    """Where to play: servers, and apps of this process, which end with it.

    Args:
        target: What to play on, as the operator named it.
        arguments: For the environment's constructor or factory.
        control_token: Of a trainer, for a server.
    """

    def __init__(self, target: str, arguments: dict[str, Any], control_token: str | None) -> None:
        self._target = target
        self._arguments = arguments
        self._token = control_token or secrets.token_urlsafe()
        self._is_shown = control_token is not None
        self._apps: dict[ServerMode, ASGIApp] = {}
        self._lifespans = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        await self._lifespans.aclose()

    async def player(self, mode: str) -> GenericEnvClient:
        """A session in which nobody has played.

        Args:
            mode: In which it was recorded, where that is known.

        Raises:
            ConfigurationError: There is no such target, or no such mode.
        """
        headers = {"Authorization": f"Bearer {self._token}"}
        if self._target.startswith(_SCHEMES):
            return self._elsewhere(headers if self._is_shown else None)
        app = await self._app(_mode_named(mode))
        return GenericEnvClient(app=app, headers=headers, message_timeout_s=None)

    def _elsewhere(self, headers: dict[str, str] | None) -> GenericEnvClient:
        if self._arguments:
            raise ConfigurationError("A running server has its arguments: leave --env out")
        try:
            return GenericEnvClient(base_url=self._target, headers=headers, message_timeout_s=None)
        except ValueError as error:
            raise ConfigurationError(f"{self._target} is no URL of a server: {error}") from None

    async def _app(self, mode: ServerMode) -> ASGIApp:
        if mode not in self._apps:
            plan = Plan(
                target=self._target, arguments=self._arguments, mode=mode, control_token=self._token
            )
            app = self._apps[mode] = plan.app()
            if isinstance(app, Starlette):
                await self._lifespans.enter_async_context(app.router.lifespan_context(app))
        return self._apps[mode]


def _mode_named(name: str) -> ServerMode:
    try:
        return ServerMode(name or ServerMode.SIMULATION)
    except ValueError:
        raise ConfigurationError(
            f"The recording names the mode {_cut(name)!r}, and there are only "
            f"{' and '.join(ServerMode)}: it was not written by openenv-lite"
        ) from None


class _Report:
    """Counts verdicts, and keeps the first that tell of a difference."""

    def __init__(self) -> None:
        self.counts: collections.Counter[Finding] = collections.Counter()
        self._reasons: collections.Counter[str] = collections.Counter()
        self._differing: list[Verdict] = []

    def add(self, verdict: Verdict) -> None:
        """Take an episode into account."""
        self.counts[verdict.finding] += 1
        if verdict.finding is Finding.UNKNOWN:
            self._reasons[verdict.reason] += 1
        if verdict.finding is Finding.DIFFERS and len(self._differing) < _MOST_SHOWN:
            self._differing.append(verdict)

    def print(self, console: Console) -> None:
        """The closing tables; none where nothing was played."""
        if not self.counts:
            return
        if self._differing:
            console.print(_differences(self._differing))
        if (more := self.counts[Finding.DIFFERS] - len(self._differing)) > 0:
            console.print(f"and {more:,} more")
        table = Table(show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row("episodes", f"{self.counts.total():,}")
        for finding in Finding:
            table.add_row(finding.value, f"{self.counts[finding]:,}")
        for reason, count in self._reasons.most_common():
            table.add_row("", f"{count:,} x {reason}")
        console.print(table)


def _differences(differing: Sequence[Verdict]) -> Table:
    table = Table()
    table.add_column("episode", no_wrap=True, max_width=12)
    for heading in ("seed", "step", "where", "expected", "got"):
        table.add_column(heading, overflow="fold")
    for verdict in differing:
        assert verdict.difference
        where, expected, got = verdict.difference
        seed = verdict.trajectory.seed
        cells = (verdict.trajectory.episode, "" if seed is None else seed, verdict.step, where)
        table.add_row(*map(_shown, (*cells, _quoted(expected), _quoted(got))))
    return table


def _quoted(value: Any) -> str:
    try:
        return value if isinstance(value, str) else repr(value)
    except RecursionError:
        return "(too deeply nested to be shown)"


def _shown(value: Any) -> str:
    return escape(printable(_cut(str(value))))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
