"""Calls for a lane keep their order, whatever is asked, cancelled or closed meanwhile."""

import asyncio
from typing import Any

import pytest

from openenv_lite import ServerMode
from openenv_lite.batches import Close, Open, ReadState, Receive, Reset
from openenv_lite.blueprint import Blueprint
from openenv_lite.errors import (
    CallCancelledError,
    InvalidMessageError,
    UnknownLaneError,
)
from openenv_lite.pool import Pool, PoolSettings
from openenv_lite.vector import Vector
from tests.environments import Add, Awaiting, Count, Inline, Threaded
from tests.leaks import on_loop, settled, until
from tests.vector.hand_turned import HandTurned
from tests.vector.speaking import adding, lanes_of

ALL = pytest.mark.parametrize("kind", [Inline, Threaded, Awaiting], ids=lambda kind: kind.__name__)


def totals(results: Any) -> list[int | None]:
    return [None if seen is None else _total(seen) for seen in results.observations]


def _total(seen: Any) -> int:
    return int(getattr(seen, "total", seen))


@pytest.mark.parametrize("kind", [Threaded, Awaiting])
@on_loop
async def test_lanes_keep_their_order_whatever_is_asked_of_them(kind: Any) -> None:
    async with lanes_of(kind, 2) as lanes:
        asked = [
            lanes.begin(request)
            for request in (
                Reset(id=1),
                adding(1, 0, identity=2),
                ReadState(id=3),
                adding(1, 1, identity=4),
                ReadState(id=5, lanes=[1]),
                Reset(id=6, lanes=[0]),
                ReadState(id=7),
                adding(2, 1, identity=8),
            )
        ]
        told = [await each for each in asked]
        assert [totals(told[place]) for place in (0, 1, 3, 5, 7)] == [
            [0, 0],
            [1, 0],
            [2, 1],
            [0],
            [2, 2],
        ]
        counts = [[state["step_count"] for state in told[place].states] for place in (2, 4, 6)]
        assert counts == [[1, 1], [2], [0, 2]]


@pytest.mark.parametrize("kind", [Threaded, Awaiting])
@on_loop
async def test_what_was_asked_before_a_close_is_done_and_what_after_is_not(kind: Any) -> None:
    async with lanes_of(kind, 3) as lanes:
        await lanes.do(Reset(id=1))
        asked = [
            lanes.begin(each)
            for each in (
                adding(1, 1, 0, identity=2),
                Close(id=3, lanes=[0]),
                adding(1, 1, lanes=[0, 1], identity=4),
            )
        ]
        before, closed, after = [await each for each in asked]
        assert before.lanes == [0, 1, 2]
        assert closed.lanes == [0]
        assert totals(after) == [None, 2]
        assert isinstance(after.errors[0], UnknownLaneError)
        assert len(kind.alive) == 2


@pytest.mark.parametrize("kind", [Threaded, Awaiting])
@on_loop
async def test_cancelling_tells_of_each_lane_that_was_not_ready(kind: Any, gate: None) -> None:
    async with lanes_of(kind, 3) as lanes:
        await lanes.do(Reset(id=1))
        step = lanes.begin(adding(1, -1, 2, identity=2))
        quick = lanes.begin(adding(1, 0, lanes=[0, 2], identity=3))
        assert totals(await quick) == [2, 2]
        lanes.cancel(2)
        results = await step
        assert totals(results) == [1, None, 2]
        assert isinstance(results.errors[1], CallCancelledError)
        Threaded.gate.set()
        assert totals(await lanes.do(adding(0, 0, 0, identity=4)))[0] == 2


@on_loop
async def test_cancelling_what_waits_its_turn_lets_it_never_run() -> None:
    async with lanes_of(HandTurned, 1) as lanes:
        await lanes.do(Reset(id=1, options={"name": 0}))
        steps = [lanes.begin(adding(1, identity=n)) for n in (2, 3, 4)]
        await until(lambda: HandTurned.begun[0] == 1)
        lanes.cancel(3)
        assert isinstance((await steps[1]).errors[0], CallCancelledError)
        for step in (steps[0], steps[2]):
            HandTurned.let_go[0].set()
            await step
        assert HandTurned.begun[0] == 2


@on_loop
async def test_a_state_that_waits_can_be_cancelled() -> None:
    async with lanes_of(HandTurned, 2) as lanes:
        await lanes.do(Reset(id=1, lanes=[0], options={"name": 0}))
        await lanes.do(Reset(id=1, lanes=[1], options={"name": 1}))
        lanes.begin(adding(1, lanes=[0], identity=2))
        state = lanes.begin(ReadState(id=3))
        await settle()
        lanes.cancel(3)
        told = await state
        assert isinstance(told.errors[0], CallCancelledError)
        assert told.states[1] == {"episode_id": told.states[1]["episode_id"], "step_count": 0}


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@on_loop
async def test_an_id_used_again_while_lanes_of_its_first_request_are_under_way() -> None:
    async with lanes_of(HandTurned, 3) as lanes:
        for number in range(3):
            await lanes.do(Reset(id=1, lanes=[number], options={"name": number}))
        HandTurned.let_go[0].set()
        assert (await lanes.do(adding(1, 1, 1, identity=5, wait=1))).lanes == [0]
        again = lanes.begin(adding(1, lanes=[0], identity=5))
        await settle()
        lanes.cancel(5)
        assert isinstance((await again).errors[0], CallCancelledError)
        told = await lanes.do(Receive(id=6, wait=2))
        assert sorted(told.lanes) == [1, 2]
        assert {type(each) for each in told.errors.values()} == {CallCancelledError}
        await asyncio.wait_for(lanes.vector.idle(), 5)


@on_loop
async def test_a_lane_is_not_set_going_with_wait_until_it_was_told_of() -> None:
    async with lanes_of(Inline, 2) as lanes:
        await lanes.do(Reset(id=1))
        assert (await lanes.do(adding(1, 1, wait=1))).lanes == [0]
        with pytest.raises(InvalidMessageError, match="Lane 1 is under way"):
            await lanes.do(adding(1, 1, wait=1))
        assert totals(await lanes.do(adding(0, 0))) == [1, 1]
        assert (await lanes.do(Receive(id=3, wait=1))).lanes == [1]
        assert totals(await lanes.do(adding(1, 1, wait=2))) == [2, 2]


@on_loop
async def test_a_long_batch_of_inline_steps_stops_now_and_then_where_that_is_asked_for() -> None:
    played = []

    class Slow(Inline):
        def step(self, action: Add, bonus: int = 0) -> Any:
            played.append(action.amount)
            return Count(total=action.amount)

    pool = Pool(Blueprint(Slow), PoolSettings(max_sessions=40))
    patient = Vector(pool, ServerMode.SIMULATION)
    await patient.answer(Open(id=1, count=40))
    patient.answer(Reset(id=2))
    at_once: Any = patient.answer(adding(*range(40)))
    assert len(at_once.lanes) == 40
    await patient.leases.close_all()
    played.clear()
    hasty = Vector(pool, ServerMode.SIMULATION, stretch_s=0.0)
    await hasty.answer(Open(id=1, count=40))
    await hasty.answer(Reset(id=2))
    answer = hasty.answer(adding(*range(40)))
    assert played == [*range(16)]
    batch = asyncio.create_task(answer)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(played) < 40
    assert totals(await batch) == [*range(40)]
    assert played == [*range(40)]
    await hasty.leases.close_all()


@on_loop
async def test_idle_waits_for_all_and_everything_ends_with_the_lanes() -> None:
    async with lanes_of(HandTurned, 2) as lanes:
        for number in range(2):
            await lanes.do(Reset(id=1, lanes=[number], options={"name": number}))
        step = lanes.begin(adding(1, 1, identity=2))
        idle = asyncio.create_task(lanes.vector.idle())
        await settle()
        HandTurned.let_go[0].set()
        await settle()
        assert not idle.done()
        HandTurned.let_go[1].set()
        await idle
        assert totals(await step) == [1, 1]
    await settled()
