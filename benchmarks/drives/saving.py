"""A state of 10 KB that is stepped, saved, gone back to and forked over and over, each timed.

Each is judged by the step that follows it, which is not timed. Argument: where the environment is.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable
from typing import Any, NamedTuple, TypeVar

from benchmarks.apps.ours import EchoAction
from benchmarks.apps.saved import Saved, Seen
from benchmarks.drives.exchange import WARM_UP_SECONDS, Target, obey
from openenv_lite import ServerMode, State
from openenv_lite.blueprint import Blueprint
from openenv_lite.client import VectorEnvClient
from openenv_lite.session import Session

__all__ = ["HERE", "SESSION", "TCP", "Saving", "Sessions", "timed"]

T = TypeVar("T")

SESSION, HERE, TCP = "session", "here", "tcp"
ACTION = EchoAction(message="on")


class Saving(NamedTuple):
    """Seconds that each took, as the median."""

    step: float
    snapshot: float
    restore: float
    fork: float


class Sessions:
    """Sessions of this process, with nothing before them."""

    def __init__(self) -> None:
        self._blueprint = Blueprint(Saved)

    async def opened(self) -> Session:
        session = Session("one", self._blueprint, ServerMode.SIMULATION)
        await session.open()
        return session

    async def step(self, session: Session) -> int:
        turn: int = (await session.step(ACTION)).observation.turn
        return turn

    async def snapshot(self, session: Session) -> bytes:
        return await session.snapshot()

    async def restore(self, session: Session, saved: bytes) -> None:
        await session.restore(saved)

    async def fork(self, saved: bytes) -> Session:
        session = await self.opened()
        await session.restore(saved)
        return session

    async def clear(self, forked: Session, saved: bytes) -> None:
        await forked.close()


class Lanes:
    """Lanes of a client."""

    def __init__(self, vector: VectorEnvClient[EchoAction, Seen, State]) -> None:
        self._vector = vector

    async def step(self, lane: int) -> int:
        seen = (await self._vector.step([ACTION], lanes=[lane]))[0].observation
        assert seen is not None
        return seen.turn

    async def snapshot(self, lane: int) -> str:
        (handle,) = await self._vector.snapshot(lanes=[lane])
        return handle

    async def restore(self, lane: int, handle: str) -> None:
        await self._vector.restore([handle], lanes=[lane])

    async def fork(self, handle: str) -> int:
        (lane,) = await self._vector.fork([handle])
        return lane

    async def clear(self, forked: int, handle: str) -> None:
        await self._vector.close_lanes([forked])
        await self._vector.discard([handle])


class Timed:
    """Calls that are timed together."""

    def __init__(self) -> None:
        self._seconds: list[float] = []

    async def __call__(self, call: Awaitable[T]) -> T:
        began = time.perf_counter()
        made = await call
        self._seconds.append(time.perf_counter() - began)
        return made

    @property
    def median(self) -> float:
        return statistics.median(self._seconds)


async def timed(environments: Any, first: Any, seconds: float) -> Saving:
    """The four in turn with `first`, each judged by the step after it."""
    step, snapshot, restore, fork = (Timed() for _ in Saving._fields)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        turn = await step(environments.step(first))
        saved = await snapshot(environments.snapshot(first))
        await check(environments, first, turn)
        await restore(environments.restore(first, saved))
        await check(environments, first, turn)
        forked = await fork(environments.fork(saved))
        await check(environments, forked, turn)
        await environments.clear(forked, saved)
    return Saving(step.median, snapshot.median, restore.median, fork.median)


async def check(environments: Any, which: Any, turn: int) -> None:
    if (following := await environments.step(which)) != turn + 1:
        raise ValueError(f"Turn {turn} was followed by turn {following}")


async def play_sessions(seconds: float) -> Saving:
    sessions = Sessions()
    first = await sessions.opened()
    await first.reset()
    try:
        await timed(sessions, first, WARM_UP_SECONDS)
        return await timed(sessions, first, seconds)
    finally:
        await first.close()


async def play_lanes(seconds: float, where: dict[str, Any]) -> Saving:
    async with VectorEnvClient[EchoAction, Seen, State](**where) as vector:
        await vector.reset()
        await timed(Lanes(vector), 0, WARM_UP_SECONDS)
        return await timed(Lanes(vector), 0, seconds)


def main(place: str) -> None:
    def run(target: Target) -> Saving:
        if place == SESSION:
            return asyncio.run(play_sessions(target.seconds))
        where = {"env": Saved} if place == HERE else {"base_url": f"http://{target.address}"}
        return asyncio.run(play_lanes(target.seconds, where))

    obey(run)


if __name__ == "__main__":
    main(sys.argv[1])
