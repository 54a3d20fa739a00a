"""Frames that have come for one reader of one event loop."""

import asyncio
from collections import deque

from openenv_lite.errors import ConnectionLostError

__all__ = ["Inbox"]


class Inbox:
    """A queue with an end. A reader that is cancelled loses no frame."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._end: ConnectionLostError | None = None
        self._reader: asyncio.Future[None] | None = None

    @property
    def loss(self) -> ConnectionLostError | None:
        """Why `get` can give no frame any more, None while it can."""
        return None if self._frames else self._end

    def put(self, frame: bytes) -> None:
        """Add a frame."""
        self._frames.append(frame)
        self._wake()

    def end(self, loss: ConnectionLostError) -> None:
        """No frame follows; the first reason given stays."""
        self._end = self._end or loss
        self._wake()

    async def get(self) -> bytes:
        """The next frame.

        Raises:
            ConnectionLostError: The end has been reached.
        """
        while not self._frames:
            if self._end is not None:
                raise self._end
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        return self._frames.popleft()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
