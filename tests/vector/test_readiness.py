"""Who is told of which lanes, and when: `Readiness` against a model of a queue."""

import asyncio
from collections import deque
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from openenv_lite.errors import CallCancelledError, InvalidMessageError
from openenv_lite.types import StepResult
from openenv_lite.vector.readiness import Readiness

LANES = range(6)


def outcome(number: int) -> StepResult[Any]:
    return StepResult(number, 0.0, False)


class Telling(RuleBasedStateMachine):
    """Lanes become ready in any order; requests wait for any number, and some are given up."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.readiness = Readiness()
        self.ids = iter(range(10**6))
        self.running: list[int] = []
        self.ready: deque[int] = deque()
        self.waiting: deque[tuple[int, int, Any]] = deque()
        self.told: list[tuple[Any, list[int]]] = []

    @property
    def untold(self) -> set[int]:
        promised = {lane for told, lanes in self.told if not told.done() for lane in lanes}
        return {*self.running, *self.ready} | promised

    @property
    def unpromised(self) -> int:
        return len(self.running) + len(self.ready) - sum(wanted for _, wanted, _ in self.waiting)

    def in_loop(self, call: Any) -> Any:
        async def run() -> Any:
            return call()

        return self.runner.run(run())

    @rule(lanes=st.lists(st.sampled_from(LANES), unique=True), wanted=st.integers(1, 7))
    def expect(self, lanes: list[int], wanted: int) -> None:
        if self.untold & {*lanes} or wanted > self.unpromised + len(lanes):
            with pytest.raises(InvalidMessageError, match=r"receive|wait="):
                self.readiness.expect(lanes, wanted)
            return
        self.readiness.expect(lanes, wanted)
        self.running += lanes
        self.take(wanted)

    @rule(wanted=st.integers(1, 7))
    def receive(self, wanted: int) -> None:
        if wanted > self.unpromised:
            with pytest.raises(InvalidMessageError, match="wait="):
                self.in_loop(lambda: self.readiness.take(next(self.ids), wanted))
            return
        self.take(wanted)

    def take(self, wanted: int) -> None:
        request = next(self.ids)
        told = self.in_loop(lambda: self.readiness.take(request, wanted))
        if not self.waiting and len(self.ready) >= wanted:
            assert [lane for lane, _ in told] == self.cut(wanted)
        else:
            assert not told.done()
            self.waiting.append((request, wanted, told))

    def cut(self, count: int) -> list[int]:
        return [self.ready.popleft() for _ in range(count)]

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def put(self, data: st.DataObject) -> None:
        lane = data.draw(st.sampled_from(self.running))
        self.running.remove(lane)
        self.ready.append(lane)
        self.in_loop(lambda: self.readiness.put(lane, outcome(lane)))
        self.serve()

    def serve(self) -> None:
        """Whoever waits longest is served first, exactly as many as it wants."""
        while self.waiting and len(self.ready) >= self.waiting[0][1]:
            _, wanted, told = self.waiting.popleft()
            assert [(lane, each.observation) for lane, each in told.result()] == [
                (lane, lane) for lane in self.cut(wanted)
            ]
        assert not any(told.done() for _, _, told in self.waiting)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        gone = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove(gone)
        self.in_loop(lambda: self.readiness.cancel(gone[0]))
        assert isinstance(gone[2].exception(), CallCancelledError)
        self.serve()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        """One who waited is gone without a word, as a cancelled task is."""
        gone = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove(gone)
        gone[2].cancel()
        self.in_loop(lambda: self.readiness.give_back(gone[2]))
        self.serve()

    @invariant()
    def cancelling_a_stranger_is_nothing(self) -> None:
        self.readiness.cancel(-1)

    def teardown(self) -> None:
        self.runner.close()


TestTelling = Telling.TestCase
TestTelling.settings = hypothesis.settings(max_examples=60, stateful_step_count=30)


def test_what_somebody_was_told_who_has_gone_is_told_to_the_next_and_first() -> None:
    async def run() -> None:
        readiness = Readiness()
        readiness.expect([0, 1, 2], 2)
        told: Any = readiness.take(1, 2)
        readiness.put(2, outcome(2))
        readiness.put(0, outcome(0))
        assert [lane for lane, _ in told.result()] == [2, 0]
        readiness.give_back(told)
        with pytest.raises(InvalidMessageError, match="Lane 0"):
            readiness.expect([0], 1)
        readiness.put(1, outcome(1))
        assert [lane for lane, _ in readiness.take(2, 3)] == [2, 0, 1]

    asyncio.run(run())
