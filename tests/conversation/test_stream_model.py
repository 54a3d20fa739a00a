"""A stream under every order of saying, reading, leaving and coming back."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from openenv_lite.conversation.stream import MOST_KEPT, Answer, Event, Stream
from tests.leaks import settled

TURNS = 5
"""Of the loop, after which whoever waited for a message has it."""


class Reader:
    """Somebody who reads, until the stream sends it away."""

    def __init__(self, stream: Stream, after: int | None) -> None:
        self.got: list[Event] = []
        self._events: AsyncIterator[Event] = stream.read(after)
        self.task = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        async for event in self._events:
            self.got.append(event)


class Streams(RuleBasedStateMachine):
    """The model: what was said, and up to where somebody has read it."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stream = self.runner.run(self._make())
        self.said: list[bytes] = []
        self.seen = 0
        self.reader: Reader | None = None
        self.first = 0
        self.gone: list[Reader] = []
        self.is_over = False
        self.leave_at: int | None = None

    async def _make(self) -> Stream:
        return Stream("1", primes=True)

    def settle(self) -> None:
        async def turn() -> None:
            for _ in range(TURNS):
                await asyncio.sleep(0)

        self.runner.run(turn())
        self._follow()

    def _follow(self) -> None:
        """What the one who reads must have heard by now."""
        reader = self.reader
        if reader is None:
            return
        expected = [*range(max(self.first, len(self.said) - MOST_KEPT) + 1, len(self.said) + 1)]
        numbers = {event.number for event in reader.got}
        assert [event.number for event in reader.got] == sorted(numbers)
        self.seen = max([self.first, *numbers])
        is_to_leave = self.leave_at is not None and self.seen >= self.leave_at
        if not is_to_leave and len(self.said) - self.first <= MOST_KEPT:
            assert numbers >= {*expected}
        if is_to_leave:
            assert reader.task.done(), "it was to be sent away"
            self.leave_at = None
        elif not self.is_over:
            assert not reader.task.done(), "it was sent away"
        if self.is_over:
            assert reader.task.done(), "the stream ended"
        if reader.task.done():
            reader.task.result()
            self.gone.append(reader)
            self.reader = None

    @rule(size=st.integers(1, 5) | st.just(MOST_KEPT + 3))
    @precondition(lambda self: not self.is_over)
    def say(self, size: int) -> None:
        for _ in range(size):
            self.said.append(f"m{len(self.said)}".encode())
            self.runner.run(self._do(self.stream.put, self.said[-1]))
            self.settle()

    @rule(size=st.sampled_from([1, 2, MOST_KEPT, MOST_KEPT + 3]))
    @precondition(lambda self: not self.is_over)
    def say_at_once(self, size: int) -> None:
        async def burst() -> None:
            for _ in range(size):
                self.said.append(f"m{len(self.said)}".encode())
                self.stream.put(self.said[-1])

        self.runner.run(burst())
        self.settle()

    @rule()
    def come(self) -> None:
        """Read on from where anybody has read; an earlier reader must go."""
        self._take_place(None, self.seen)

    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        """Read on from a number, as Last-Event-ID names it."""
        after = data.draw(st.integers(0, len(self.said)))
        self._take_place(after, after)

    def _take_place(self, after: int | None, first: int) -> None:
        earlier, self.reader = self.reader, None
        self.first = first
        self.reader = self.runner.run(self._new(after))
        self.settle()
        if earlier is not None:
            assert earlier.task.done(), "two read at once"
            self.gone.append(earlier)

    async def _new(self, after: int | None) -> Reader:
        return Reader(self.stream, after)

    @rule()
    def send_away(self) -> None:
        self.leave_at = len(self.said)
        self.runner.run(self._do(self.stream.leave))
        self.settle()

    @rule()
    @precondition(lambda self: self.reader is not None)
    def break_off(self) -> None:
        reader, self.reader = self.reader, None
        self.runner.run(self._do(self.stream.lose_reader))
        self.settle()
        assert reader is not None
        assert reader.task.done()
        self.gone.append(reader)

    @rule(body=st.sampled_from([b"end", None]))
    def finish(self, body: bytes | None) -> None:
        """The first end counts, with or without a word."""
        self.runner.run(self._do(self.stream.finish, Answer(body)))
        if not self.is_over and body is not None:
            self.said.append(body)
        self.is_over = True
        self.settle()

    @rule()
    def cancel(self) -> None:
        self.runner.run(self._do(self.stream.cancel))
        self.is_over = True
        self.settle()

    @rule()
    @precondition(lambda self: self.is_over)
    def speak_too_late(self) -> None:
        """After the end nothing is said."""
        self.runner.run(self._do(self.stream.put, b"late"))
        self.settle()

    async def _do(self, act: Any, *args: Any) -> None:
        act(*args)

    @invariant()
    def nothing_is_changed_doubled_or_out_of_order(self) -> None:
        for reader in [*self.gone, *([self.reader] if self.reader else [])]:
            numbers = [event.number for event in reader.got]
            assert numbers == sorted(set(numbers))
            assert all(event.body == self.said[event.number - 1] for event in reader.got)

    @invariant()
    def it_knows_whether_it_is_read_and_over(self) -> None:
        assert self.stream.is_read is (self.reader is not None)
        assert self.stream.is_under_way is not self.is_over

    def teardown(self) -> None:
        async def end() -> None:
            self.stream.cancel()
            self.stream.lose_reader()
            await settled()

        self.runner.run(end())
        self.runner.close()


TestStreams = Streams.TestCase
TestStreams.settings = hypothesis.settings(max_examples=40, stateful_step_count=25)
