"""The messages that belong to one request, kept until somebody reads them."""

import asyncio
import collections
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, NamedTuple

import msgspec

__all__ = ["PULSE", "Answer", "Event", "Stream"]

MOST_KEPT = 256
"""Messages that a stream keeps for a client that is away; older ones are lost to it."""


class Answer(msgspec.Struct, frozen=True):
    """The end of a request: bytes to send back, or None where nothing is said."""

    body: bytes | None
    status: int = 200
    """What HTTP says; the other transports have no such thing."""
    session_id: str | None = None
    """Of the session that the request began."""


class Event(NamedTuple):
    """One message of a stream, and its place in it."""

    number: int
    body: bytes


PULSE = Event(0, b"")
"""Nothing; it shows that the stream is alive."""


_NOTHING = Answer(None, 202)
"""How a stream ends that has no answer."""


class Stream:
    """The messages of one request in order, the answer last. One reads at a time.

    Args:
        key: Names it in event ids, for a client that may leave and come back; empty where a
            reader that leaves ends the request.
        primes: Whether it begins with an event that is empty but for its id.

    Attributes:
        answer: The end, once it is known.
        loop: Where it may be written and read.
    """

    def __init__(self, key: str = "", primes: bool = False) -> None:
        self.key = key
        self.primes = primes
        self.answer: Answer | None = None
        self._events: collections.deque[Event] = collections.deque(maxlen=MOST_KEPT)
        self._number = 0
        self._seen = 0
        self._leave_after: int | None = None
        self._reading: object | None = None
        self._task: asyncio.Task[None] | None = None
        self.loop = asyncio.get_running_loop()
        self._news: asyncio.Future[None] = self.loop.create_future()

    @property
    def is_read(self) -> bool:
        """Whether somebody waits for what comes."""
        return self._reading is not None

    @property
    def is_under_way(self) -> bool:
        """Whether the answer is still being made."""
        return self.answer is None

    def put(self, body: bytes) -> None:
        """Add a message; after the answer there is nothing to say."""
        if self.answer is None:
            self._number += 1
            self._events.append(Event(self._number, body))
            self._wake()

    def finish(self, answer: Answer) -> None:
        """Add the answer, after which nothing comes."""
        if self.answer is None:
            if answer.body is not None:
                self.put(answer.body)
            self.answer = answer
            self._wake()

    def leave(self) -> None:
        """Send the reader away after what there is, the coming one if there is none yet.

        Where it has seen no id it could not come back, so it stays.
        """
        if self.primes or self._number:
            self._leave_after = self._number
            self._wake()

    def forget(self) -> None:
        """The answer has been sent as the whole reply: nobody comes back for it."""
        self._events.clear()
        self.answer = Answer(None)

    def lose_reader(self) -> None:
        """The reader has gone; the messages wait for the next one."""
        self._reading = None
        self._wake()

    def run(
        self, answering: Coroutine[Any, Any, Answer], ended: Callable[["Stream"], None]
    ) -> "Stream":
        """Make the answer in a task of its own, and call `ended` after that."""
        self._task = asyncio.create_task(self._follow(answering))
        self._task.add_done_callback(lambda task: ended(self))
        return self

    def cancel(self) -> None:
        """Stop making the answer; the stream ends without one."""
        if self._task is not None:
            # Not before it has begun, or what it awaits would never be awaited.
            asyncio.get_running_loop().call_soon(self._task.cancel)
        self.finish(_NOTHING)

    async def ended(self) -> None:
        """Wait until the task, cancelled or not, is over."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _follow(self, answering: Coroutine[Any, Any, Answer]) -> None:
        try:
            self.finish(await answering)
        finally:
            self.finish(_NOTHING)  # does nothing, unless what an author raised passed every door

    async def only_answer(self) -> Answer | None:
        """The answer, where nothing comes before it; None as soon as something does.

        Whoever waits is a reader: afterwards `is_read` tells whether it was lost meanwhile.
        """
        me = self._reading = object()
        while self._reading is me and self._is_silent:
            await asyncio.wait({self._news})
        return self.answer if self._number <= 1 else None

    @property
    def _is_silent(self) -> bool:
        return self.answer is None and not self._number and self._leave_after is None

    async def read(
        self, after: int | None = None, pulse_s: float | None = None
    ) -> AsyncIterator[Event]:
        """Every message after this number, until the answer or until the reader is sent away.

        A reader takes the place of an earlier one.

        Args:
            after: By default the last that anybody has read.
            pulse_s: After so long without a message there is a `PULSE`.
        """
        me = self._reading = object()
        self._wake()
        self._seen = self._seen if after is None else min(after, self._number)
        try:
            while self._reading is me:
                event = next((each for each in self._events if each.number > self._seen), None)
                if event is not None:
                    self._seen = event.number
                    yield event
                elif self._is_to_leave or self.answer is not None:
                    return
                elif not (await asyncio.wait({self._news}, timeout=pulse_s))[0]:
                    yield PULSE
        finally:
            if self._reading is me:
                self._reading = None

    @property
    def _is_to_leave(self) -> bool:
        if self._leave_after is None or self._seen < self._leave_after:
            return False
        self._leave_after = None
        return True

    async def before_answer(self) -> AsyncIterator[Event]:
        """Every message but the answer."""
        async for event in self.read():
            if self.answer is None or event.body is not self.answer.body:
                yield event

    def _wake(self) -> None:
        if not self._news.done():
            self._news.set_result(None)
        self._news = self.loop.create_future()
