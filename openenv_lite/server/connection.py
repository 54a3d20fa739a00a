"""One WebSocket as the server sees it: frames in, text out, and an end with a reason."""

import asyncio
from typing import Any

from starlette.types import Receive, Scope, Send

from openenv_lite.clock import Clock

__all__ = ["Connection", "Disconnected", "ReadAhead"]

_LEFT_ON_PURPOSE = frozenset({1000, 1001, 1012})


class Disconnected(Exception):  # noqa: N818  an event of the connection, not an error
    """The peer has gone.

    Attributes:
        lost: The connection broke; else the peer, or this server stopping, closed it.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"WebSocket closed with {code}")
        self.lost = code not in _LEFT_ON_PURPOSE


class Connection:
    """A WebSocket whose peer is only listened to between replies.

    Right where a reply takes no longer than a moment, and the cheapest.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send

    async def accept(self, session_id: str | None = None) -> None:
        """Complete the handshake and, in a header OpenEnv's clients ignore, name the session."""
        await self._receive()
        headers = [(b"x-openenv-session-id", session_id.encode())] if session_id else []
        await self._send({"type": "websocket.accept", "headers": headers})

    async def frame(self) -> str | bytes:
        """The next frame; bytes where it was binary.

        Raises:
            Disconnected: There will be none.
        """
        message = await self._receive()
        text: str | None = message.get("text")
        return _content(message) if text is None else text

    async def send(self, text: bytes) -> None:
        """Send a text frame, given as UTF-8.

        Raises:
            Disconnected: The peer has gone.
        """
        try:
            await self._send({"type": "websocket.send", "text": text.decode()})
        except OSError:
            raise Disconnected(1006) from None

    async def close(self, code: int = 1000) -> None:
        """Close the WebSocket; nothing happens where it is closed already."""
        try:
            await self._send({"type": "websocket.close", "code": code})
        except (OSError, RuntimeError):
            return

    def release(self) -> None:
        """Stop listening."""


class ReadAhead(Connection):
    """A WebSocket that is listened to while a reply is being made, so that a vanished peer ends it.

    Create it in the task that serves the connection. When the peer leaves, that task is cancelled
    and `end` tells why; where the connection broke, only after the grace time, so that the step
    under way may finish and its session be resumed.
    """

    def __init__(self, connection: Connection, clock: Clock, grace_s: float) -> None:
        super().__init__(connection.scope, connection._receive, connection._send)
        self.end: Disconnected | None = None
        self._clock = clock
        self._grace_s = grace_s
        self._waiting = False
        self._frames: asyncio.Queue[str | bytes] = asyncio.Queue(maxsize=16)
        self._server = asyncio.current_task()
        self._reader = asyncio.create_task(self._read())

    async def frame(self) -> str | bytes:
        """The next frame, those read ahead first."""
        if self._frames.empty() and self.end is not None:
            raise self.end
        self._waiting = True
        try:
            return await self._frames.get()
        finally:
            self._waiting = False

    async def _read(self) -> None:
        try:
            while True:
                await self._frames.put(_content(await self._receive()))
        except Disconnected as end:
            self.end = end
        if self.end.lost and not self._waiting:
            await self._clock.sleep(self._grace_s)
        if self._server is not None:
            self._server.cancel()

    def release(self) -> None:
        """Stop reading."""
        self._reader.cancel()


def _content(message: Any) -> str | bytes:
    if message["type"] == "websocket.disconnect":
        raise Disconnected(message.get("code") or 1005)
    text: str | None = message.get("text")
    data: bytes = message.get("bytes") or b""
    return data if text is None else text
