"""Lanes with no server: each has its own result or error, in the order of what was asked of it."""

import asyncio
import threading
from typing import Any, ClassVar

import pytest

from openenv_lite import Environment, Observation, State
from openenv_lite.batches import Close, ReadState, Receive, Reset, Step
from openenv_lite.errors import (
    EpisodeDoneError,
    ExecutionError,
    InvalidMessageError,
    ResetRequiredError,
    UnknownLaneError,
)
from tests.environments import LIMIT, Add, Awaiting, Count, Inline, Threaded
from tests.leaks import on_loop
from tests.vector.speaking import adding, lanes_of

ALL = pytest.mark.parametrize("kind", [Inline, Threaded, Awaiting], ids=lambda kind: kind.__name__)


def totals(results: Any) -> list[int | None]:
    return [None if seen is None else _total(seen) for seen in results.observations]


def _total(seen: Any) -> int:
    return int(getattr(seen, "total", seen))


@ALL
@on_loop
async def test_each_lane_has_its_own_episode(kind: Any) -> None:
    async with lanes_of(kind, 3) as lanes:
        began = await lanes.do(Reset(id=1, options={"start": 1}))
        assert (began.id, began.lanes, totals(began)) == (1, [0, 1, 2], [1, 1, 1])
        first = await lanes.do(adding(1, 0, 2, identity=2))
        assert totals(first) == [2, 1, 3]
        assert first.done == [False, False, True]
        second = await lanes.do(adding(1, 1, 1, identity=3))
        assert totals(second) == [3, 2, None]
        assert second.done == [True, False, False]
        assert isinstance(second.errors[2], EpisodeDoneError)
        assert second.errors.keys() == {2}
    assert not kind.alive


@ALL
@on_loop
async def test_the_reply_has_the_order_of_the_request(kind: Any) -> None:
    async with lanes_of(kind, 3) as lanes:
        await lanes.do(Reset(id=1))
        results = await lanes.do(adding(2, 1, lanes=[2, 0]))
        assert (results.lanes, totals(results)) == ([2, 0], [2, 1])
        assert (await lanes.do(adding(0, 0, 0))).lanes == [0, 1, 2]


@ALL
@on_loop
async def test_what_befalls_one_lane_leaves_the_others_be(kind: Any) -> None:
    async with lanes_of(kind, 3) as lanes:
        await lanes.do(Reset(id=1, lanes=[0, 2]))
        bad = InvalidMessageError("no action")
        request = Step(id=2, actions=[bad, Add(amount=1), Add(amount=1)], lanes=[0, 2, 7])
        results = await lanes.do(request)
        assert results.lanes == [0, 2, 7]
        assert totals(results) == [None, 1, None]
        assert results.errors[0] is bad
        assert isinstance(results.errors[7], UnknownLaneError)
        early = await lanes.do(adding(1, 1, lanes=[1, 2], identity=3))
        assert isinstance(early.errors[1], ResetRequiredError)
        assert totals(early) == [None, 2]


@ALL
@pytest.mark.parametrize(
    "request_",
    [
        adding(1, 1),
        adding(1, lanes=[0, 1, 2]),
        adding(1, 1, lanes=[1, 1]),
        Reset(id=1, seeds=[1, 2]),
        Reset(id=1, lanes=[0, 0]),
        Close(id=1, lanes=[0, 0]),
        Close(id=1, lanes=[0, 9]),
        adding(1, 1, 1, 1, lanes=[0, 1, 2, 3]),
        Reset(id=1, lanes=[0, 1, 2, 3]),
        ReadState(id=1, lanes=[0, 1, 2, 3]),
        Receive(id=1, wait=1),
        adding(1, 1, 1, wait=4),
        ReadState(id=1, lanes=[2, 2]),
    ],
)
@on_loop
async def test_a_request_that_cannot_be_carried_out_as_a_whole_does_nothing(
    kind: Any, request_: Any
) -> None:
    async with lanes_of(kind, 3) as lanes:
        await lanes.do(Reset(id=1))
        with pytest.raises((InvalidMessageError, UnknownLaneError)):
            await lanes.do(request_)
        assert totals(await lanes.do(adding(0, 0, 0))) == [0, 0, 0]
        assert len(kind.alive) == 3


@ALL
@on_loop
async def test_no_lanes_at_all(kind: Any) -> None:
    async with lanes_of(kind, 0) as lanes:
        assert (await lanes.do(adding())).lanes == []
        assert (await lanes.do(Reset(id=1))).lanes == []
        assert (await lanes.do(ReadState(id=1))).states == []
        assert (await lanes.do(Close(id=1))).lanes == []
        await asyncio.wait_for(lanes.vector.idle(), 5)


@ALL
@on_loop
async def test_a_seed_is_its_lanes_own(kind: Any) -> None:
    class Drawing(kind):  # type: ignore[misc]
        async def draw(self) -> Any:
            return Count(total=self.rng.randrange(1000))

        def reset(self, seed: int | None = None, start: int = 0) -> Any:
            return Count(total=self.rng.randrange(1000))

    async with lanes_of(Drawing, 4) as lanes:
        drawn = totals(await lanes.do(Reset(id=1, seeds=[5, 6, 5, None])))
        assert drawn[0] == drawn[2]
        assert drawn[0] != drawn[1]
        assert totals(await lanes.do(Reset(id=1, lanes=[1], seeds=[5]))) == drawn[:1]


class Misbehaving(Environment[Add, Observation, State]):
    """Fails as its lane's action says."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING: ClassVar[bool] = False

    def reset(self) -> Any:
        return Count()

    def step(self, action: Add) -> Any:
        if action.amount == 1:
            raise ValueError("the author's own fault")
        if action.amount == 2:
            raise SystemExit("to the end")
        if action.amount == 3:
            raise asyncio.CancelledError
        if action.amount == 4:
            return "no observation"
        if action.amount == 5:
            raise StopIteration
        return Count(total=1)


class MisbehavingAsync(Misbehaving):
    """The same, awaited."""

    async def step(self, action: Add) -> Any:
        await asyncio.sleep(0)
        return super().step(action)


class MisbehavingOnThread(Misbehaving):
    """The same, on a thread."""

    BLOCKING: ClassVar[bool] = True


@pytest.mark.parametrize("kind", [Misbehaving, MisbehavingAsync, MisbehavingOnThread])
@on_loop
async def test_an_authors_failure_is_its_lanes_own(kind: Any) -> None:
    async with lanes_of(kind, 7) as lanes:
        await lanes.do(Reset(id=1))
        results = await lanes.do(adding(0, 1, 2, 3, 4, 5, 6))
        assert totals(results) == [1, None, None, None, None, None, 1]
        assert results.errors.keys() == {1, 2, 3, 4, 5}
        assert {type(each) for each in results.errors.values()} == {ExecutionError}
        assert totals(await lanes.do(adding(*[0] * 7))) == [1] * 7


@on_loop
async def test_an_error_of_the_state_is_its_lanes_own() -> None:
    class Fickle(Inline):
        @property
        def state(self) -> Any:
            if self.total:
                raise ValueError("not now")
            return {"total": self.total, "held": threading.Lock() if self.total < 0 else None}

    async with lanes_of(Fickle, 3) as lanes:
        await lanes.do(Reset(id=1))
        await lanes.do(adding(1, lanes=[1]))
        told = await lanes.do(ReadState(id=2, lanes=[1, 5, 2]))
        assert told.lanes == [1, 5, 2]
        assert told.states == [None, None, {"total": 0, "held": None}]
        assert told.errors.keys() == {1, 5}


@on_loop
async def test_done_is_one_for_each_lane_at_the_limit() -> None:
    async with lanes_of(Inline, 2) as lanes:
        await lanes.do(Reset(id=1))
        results = await lanes.do(adding(LIMIT, 1))
        assert results.done == [True, False]
        assert results.rewards == [LIMIT, 1]
        assert results.truncated == []
