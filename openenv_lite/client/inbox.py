"""Frames that have come for one reader of one event loop."""

import asyncio
from collections import deque
from collections.abc import Callable

from openenv_lite.errors import ConnectionLostError

__all__ = ["Inbox"]


class Inbox:
    """A queue with an end. A reader that is cancelled loses no frame."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._end: ConnectionLostError | None = None
        self._reader: asyncio.Future[None] | None = None
        self._heard: Callable[[bytes], None] = self._keep
        self._ended: Callable[[ConnectionLostError], None] = self._wake

    @property
    def loss(self) -> ConnectionLostError | None:
        """Why `get` can give no frame any more, None while it can."""
        return None if self._frames else self._end

    def put(self, frame: bytes) -> None:
        """Add a frame."""
        self._heard(frame)

    def end(self, loss: ConnectionLostError) -> None:
        """No frame follows; the first reason given stays."""
        if self._end is None:
            self._end = loss
            self._ended(loss)

    def listen(
        self, heard: Callable[[bytes], None], ended: Callable[[ConnectionLostError], None]
    ) -> None:
        """Hand over what is there and what comes, in place of keeping it for `get`."""
        self._heard, self._ended = heard, ended
        while self._frames:
            heard(self._frames.popleft())
        if self._end is not None:
            ended(self._end)

    async def get(self, timeout_s: float | None = None) -> bytes:
        """The next frame.

        Raises:
            ConnectionLostError: The end has been reached.
            TimeoutError: It did not come in time.
        """
        if not self._frames:
            await self._something(timeout_s)
        return self._frames.popleft()

    async def _something(self, timeout_s: float | None) -> None:
        """Wait until there is a frame."""
        loop = asyncio.get_running_loop()
        # A timer of the loop's own: `asyncio.timeout` takes several times as long.
        alarm = None if timeout_s is None else loop.call_later(timeout_s, self._give_up)
        try:
            while not self._frames:
                if self._end is not None:
                    raise self._end
                self._reader = loop.create_future()
                await self._reader
        finally:
            if alarm is not None:
                alarm.cancel()

    def _give_up(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_exception(TimeoutError("nothing came in time"))

    def _keep(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._wake()

    def _wake(self, _: ConnectionLostError | None = None) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
