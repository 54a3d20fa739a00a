"""An author may return the same object again and again: what was told stays as it was."""

import asyncio
from typing import Any, ClassVar

import numpy as np
import pytest

from openenv_lite import Action, Environment, Observation, State
from openenv_lite.batches import Autoreset, Receive, Reset, Step
from tests.environments import Add, Awaiting, Inline, Threaded
from tests.leaks import on_loop
from tests.vector.speaking import adding, lanes_of

ALL = pytest.mark.parametrize("kind", [Inline, Threaded, Awaiting], ids=lambda kind: kind.__name__)


def totals(results: Any) -> list[int | None]:
    return [None if seen is None else _total(seen) for seen in results.observations]


def _total(seen: Any) -> int:
    return int(getattr(seen, "total", seen))


class Keeping(Environment[Add, Observation, State]):
    """Keeps what it is given, shows it, and returns the same list again and again."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING: ClassVar[bool] = False

    class Shown(Observation):
        """A list that the environment goes on to change."""

        items: list[int] = []

    def __init__(self) -> None:
        self.items: list[int] = []

    def reset(self, box: Any = None) -> Any:
        self.items = self.items if box is None else box["items"]
        return self.Shown(items=self.items, metadata={"items": self.items})

    def step(self, action: Add) -> Any:
        self.items.append(action.amount)
        done = action.amount < 0
        return self.Shown(items=self.items, done=done, metadata={"items": self.items})


class KeepingOnThread(Keeping):
    """On a thread of its own."""

    BLOCKING: ClassVar[bool] = True


class KeepingAsync(Keeping):
    """Async."""

    async def step(self, action: Add) -> Any:
        await asyncio.sleep(0)
        return super().step(action)


KEEPING = pytest.mark.parametrize("kind", [Keeping, KeepingOnThread, KeepingAsync])


@KEEPING
@on_loop
async def test_options_are_shared_by_no_two_lanes(kind: Any) -> None:
    async with lanes_of(kind, 2) as lanes:
        options = {"box": {"items": [7]}}
        await lanes.do(Reset(id=1, options=options))
        results = await lanes.do(adding(1, 2))
        assert [seen.items for seen in results.observations] == [[7, 1], [7, 2]]
        assert options == {"box": {"items": [7]}}


@KEEPING
@on_loop
async def test_an_earlier_result_never_shows_what_came_later(kind: Any) -> None:
    async with lanes_of(kind, 3) as lanes:
        await lanes.do(Reset(id=1))
        first = lanes.begin(adding(1, 1, 1, identity=2, wait=1))
        told = [await first]
        [lane] = told[0].lanes
        await lanes.do(adding(2, lanes=[lane], identity=3))
        left = sorted({0, 1, 2} - {lane})
        later = [lanes.begin(adding(*[5] * 2, lanes=left, identity=4))]
        told += [await lanes.do(Receive(id=5, wait=1)), await lanes.do(Receive(id=6, wait=1))]
        assert sorted(each.lanes[0] for each in told) == [0, 1, 2]
        for each in told[1:]:
            assert each.observations[0].items == [1]
            assert each.metadata[each.lanes[0]] == {"items": [1]}
        assert [seen.items for seen in (await later[0]).observations] == [[1, 5], [1, 5]]


@pytest.mark.parametrize("kind", [KeepingOnThread, KeepingAsync])
@on_loop
async def test_pipelined_results_do_not_share_what_the_author_reuses(kind: Any) -> None:
    async with lanes_of(kind, 2) as lanes:
        await lanes.do(Reset(id=1))
        steps = [lanes.begin(adding(n, 10 * n, identity=n)) for n in range(2, 6)]
        seen = [[each.items for each in (await step).observations] for step in steps]
        assert seen[0] == [[2], [20]]
        assert seen[3] == [[2, 3, 4, 5], [20, 30, 40, 50]]


@KEEPING
@on_loop
async def test_the_final_result_is_of_the_episode_that_ended(kind: Any) -> None:
    async with lanes_of(kind, 1, Autoreset.SAME_STEP) as lanes:
        await lanes.do(Reset(id=1))
        await lanes.do(adding(1))
        results = await lanes.do(adding(-1))
        await lanes.do(adding(3, identity=9))
        assert results.final[0].observation.items == [1, -1]
        assert results.final[0].metadata == {"items": [1, -1]}
        assert results.done == [True]


class Arrayed(Environment[Action, Observation, State]):
    """One buffer for all observations, as many simulators have it."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING: ClassVar[bool] = False

    class Seen(Observation):
        """The buffer."""

        pixels: Any = None

    def __init__(self) -> None:
        self.pixels = np.zeros(2, "f4")

    def reset(self) -> Any:
        return self.Seen(pixels=self.pixels)

    def step(self, action: Any) -> Any:
        self.pixels += 1
        return self.Seen(pixels=self.pixels)


@on_loop
async def test_one_buffer_for_all_observations_is_told_as_it_was() -> None:
    async with lanes_of(Arrayed, 2) as lanes:
        await lanes.do(Reset(id=1))
        await lanes.do(Step(id=2, actions=[Action(), Action()], wait=1))
        await lanes.do(Step(id=3, actions=[Action()], lanes=[1]))
        told = await lanes.do(Receive(id=4, wait=1))
        assert told.observations[0].pixels.tolist() == [1, 1]
