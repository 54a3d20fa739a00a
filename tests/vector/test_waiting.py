"""`wait=k` in every order of readiness: a `Vector` whose steps end when the test says so."""

import asyncio
from collections import deque
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from openenv_lite import ServerMode
from openenv_lite.batches import Close, Open, Receive, Reset, Step
from openenv_lite.blueprint import Blueprint
from openenv_lite.errors import (
    CallCancelledError,
    EpisodeDoneError,
    InvalidMessageError,
    UnknownLaneError,
)
from openenv_lite.pool import Pool, PoolSettings
from openenv_lite.vector import Vector
from tests.environments import LIMIT, Add, Awaiting, Inline, Threaded
from tests.leaks import on_loop, settled
from tests.vector.hand_turned import HandTurned
from tests.vector.speaking import adding, lanes_of

COUNT = 4
LANES = st.lists(st.sampled_from(range(COUNT)), unique=True, min_size=1)


class _Request:
    """A request: its id, whether its lanes are told by `wait`, and the task of its reply."""

    def __init__(self, identity: int, wanted: int | None, reply: "asyncio.Task[Any]") -> None:
        self.id = identity
        self.wanted = wanted
        self.reply = reply
        self.left = 0
        self.told: dict[int, int | None] = {}


class Waiting(RuleBasedStateMachine):
    """The model knows for each lane what was asked of it, and who is told of what is ready."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.asked: dict[int, deque[_Request]] = {lane: deque() for lane in range(COUNT)}
        self.totals = dict.fromkeys(range(COUNT), 0)
        self.ready: deque[tuple[int, int | None]] = deque()
        self.waiting: deque[_Request] = deque()
        self.ids = iter(range(100, 10**6))
        self.runner.run(self.open())

    async def open(self) -> None:
        self.pool = Pool(Blueprint(HandTurned), PoolSettings(max_sessions=COUNT))
        self.vector = Vector(self.pool, ServerMode.SIMULATION)
        await self.vector.answer(Open(id=0, count=COUNT))
        for lane in range(COUNT):
            await self.vector.answer(Reset(id=1, lanes=[lane], options={"name": lane}))

    async def settle(self) -> None:
        for _ in range(12):
            await asyncio.sleep(0)

    @property
    def awaited(self) -> list[int]:
        """Lanes set going with `wait` and not told of yet."""
        running = [lane for lane in self.asked for each in self.asked[lane] if each.wanted]
        return running + [lane for lane, _ in self.ready]

    @property
    def unpromised(self) -> int:
        return len(self.awaited) - sum(each.wanted or 0 for each in self.waiting)

    async def begin(self, request: Any, wanted: int | None) -> _Request:
        answer = self.vector.answer(request)
        if not asyncio.iscoroutine(answer):
            answer = _given(answer)
        begun = _Request(request.id, wanted, asyncio.create_task(answer))
        await self.settle()
        return begun

    @rule(lanes=LANES, wanted=st.none() | st.integers(1, COUNT + 1))
    def step(self, lanes: list[int], wanted: int | None) -> None:
        actions = [Add(amount=1) for _ in lanes]
        request = Step(id=next(self.ids), actions=actions, lanes=lanes, wait=wanted)
        self.runner.run(self.sent(request, lanes, wanted))

    async def sent(self, request: Any, lanes: list[int], wanted: int | None) -> None:
        is_again = bool({*lanes} & {*self.awaited})
        if wanted and (is_again or wanted > self.unpromised + len(lanes)):
            with pytest.raises(InvalidMessageError):
                self.vector.answer(request)
            return
        begun = await self.begin(request, wanted)
        for lane in lanes:
            self.asked[lane].append(begun)
            begun.left += 1
        if wanted:
            self.waiting.append(begun)
            self.serve()

    @rule(wanted=st.integers(1, COUNT + 1))
    def receive(self, wanted: int) -> None:
        self.runner.run(self.received(Receive(id=next(self.ids), wait=wanted)))

    async def received(self, request: Receive) -> None:
        if request.wait > self.unpromised:
            with pytest.raises(InvalidMessageError):
                self.vector.answer(request)
            return
        self.waiting.append(await self.begin(request, request.wait))
        self.serve()

    @precondition(lambda self: any(self.asked.values()))
    @rule(data=st.data())
    def let_go(self, data: st.DataObject) -> None:
        busy = [lane for lane in self.asked if self.asked[lane]]
        lane = data.draw(st.sampled_from(busy))
        HandTurned.let_go[lane].set()
        self.totals[lane] += 1
        self.ended(lane, self.asked[lane].popleft(), self.totals[lane])

    def ended(self, lane: int, request: _Request, total: int | None) -> None:
        self.runner.run(self.settle())
        request.left -= 1
        if request.wanted:
            self.ready.append((lane, total))
            self.serve()
            return
        request.told[lane] = total
        assert request.reply.done() is (request.left == 0)
        if request.left == 0:
            assert dict(told(request)) == request.told

    def serve(self) -> None:
        """Whoever has waited longest is told first, exactly as many as it wants."""
        while self.waiting and len(self.ready) >= (self.waiting[0].wanted or 0):
            first = self.waiting.popleft()
            assert told(first) == [self.ready.popleft() for _ in range(first.wanted or 0)]
        assert not any(each.reply.done() for each in self.waiting)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def cancel_waiting(self, data: st.DataObject) -> None:
        """What it set going and is still under way is told as cancelled, to somebody else."""
        gone = data.draw(st.sampled_from(self.waiting))
        left = [lane for lane in self.asked if gone in self.asked[lane]]
        hypothesis.assume(len(left) < 2)  # they end in no order that one could tell
        self.waiting.remove(gone)
        self.vector.cancel(gone.id)
        self.runner.run(self.settle())
        assert isinstance(gone.reply.exception(), CallCancelledError)
        for lane in left:
            self.asked[lane].remove(gone)
            self.ready.append((lane, None))
        self.serve()

    @precondition(lambda self: any(self.asked.values()))
    @rule(data=st.data())
    def cancel_step(self, data: st.DataObject) -> None:
        requests = {each for lane in self.asked.values() for each in lane if not each.wanted}
        hypothesis.assume(requests)
        gone = data.draw(st.sampled_from(sorted(requests, key=lambda each: each.id)))
        self.vector.cancel(gone.id)
        for lane in self.asked:
            if gone in self.asked[lane]:
                self.asked[lane].remove(gone)
                gone.told[lane] = None
        self.runner.run(self.settle())
        assert dict(told(gone)) == gone.told

    @invariant()
    def each_lane_carries_out_one_step_at_a_time(self) -> None:
        assert self.pool.statistics().active == COUNT

    def teardown(self) -> None:
        self.runner.run(self.close())
        self.runner.close()

    async def close(self) -> None:
        self.vector.cancel_all()
        for each in self.waiting:
            each.reply.cancel()
        await self.vector.leases.close_all()
        await settled()


async def _given(reply: Any) -> Any:
    return reply


def told(request: _Request) -> list[tuple[int, int | None]]:
    """Lanes and totals of a reply; None where the lane was cancelled."""
    results = request.reply.result()
    for lane, error in results.errors.items():
        assert isinstance(error, CallCancelledError), (lane, error)
    totals = [None if seen is None else seen.total for seen in results.observations]
    return [*zip(results.lanes, totals, strict=True)]


TestWaiting = Waiting.TestCase
TestWaiting.settings = hypothesis.settings(max_examples=50, stateful_step_count=30)


@on_loop
async def test_a_step_called_off_on_its_thread_ends_its_episode_all_the_same() -> None:
    Threaded.gate.clear()
    Threaded.entered.clear()
    async with lanes_of(Threaded, 1) as lanes:
        await lanes.do(Reset(id=1, options={"start": LIMIT + 1}))
        called_off = lanes.begin(adding(-1, identity=2))
        await asyncio.to_thread(Threaded.entered.wait, 10)
        lanes.cancel(2)
        assert isinstance((await called_off).errors[0], CallCancelledError)
        Threaded.gate.set()
        assert isinstance((await lanes.do(adding(1, identity=3))).errors[0], EpisodeDoneError)


@on_loop
async def test_nobody_is_told_of_lanes_that_never_were_or_are_closed() -> None:
    async with lanes_of(Inline, 3) as lanes:
        await lanes.do(Reset(id=1))
        with pytest.raises(UnknownLaneError):
            await lanes.do(adding(1, 1, lanes=[0, 9], wait=1))
        assert (await lanes.do(adding(1, 2, 3, wait=1))).lanes == [0]
        await lanes.do(Close(id=2, lanes=[1]))
        assert (await lanes.do(Receive(id=3, wait=1))).lanes == [2]
        with pytest.raises(InvalidMessageError, match="0 lanes"):
            await lanes.do(Receive(id=4, wait=1))


@on_loop
async def test_who_waits_for_lanes_that_are_closed_is_told_so() -> None:
    async with lanes_of(Awaiting, 2) as lanes:
        await lanes.do(Reset(id=1))
        waiting = lanes.begin(adding(-1, -1, identity=2, wait=2))
        await asyncio.sleep(0)
        lanes.begin(Close(id=3))
        with pytest.raises(InvalidMessageError, match="closed"):
            await waiting
        lanes.cancel(2)
