"""One WebSocket as the server sees it: messages in, messages out, and an end with a reason."""

import asyncio
from collections.abc import Callable

from starlette.types import Message, Receive, Scope, Send

from openenv_lite.clock import Clock

__all__ = ["Connection", "Disconnected", "ReadAhead"]

MOST_UNANSWERED = 64
"""Messages a peer may send ahead of their replies."""

TURNS = 16
"""Turns of the event loop that a serving task has to read what is there."""

_LEFT_ON_PURPOSE = frozenset({1000, 1001, 1012})


class Disconnected(Exception):  # noqa: N818  an event of the connection, not an error
    """The peer has gone.

    Attributes:
        lost: The connection broke; else the peer, or this server stopping, closed it.
    """

    def __init__(self, message: Message) -> None:
        code = message.get("code") or 1005
        super().__init__(f"WebSocket closed with {code}")
        self.lost = code not in _LEFT_ON_PURPOSE


class Connection:
    """A WebSocket whose peer is only listened to between replies.

    Right where a reply takes no longer than a moment, and the cheapest: `receive` and `send` are
    the ASGI server's own. A peer that has gone shows as a message, or as an `OSError` of `send`.
    """

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, principal: str | None = None
    ) -> None:
        self.principal = principal
        self.scope = scope
        self.receive = receive
        self.send = send

    async def accept(self, session_id: str | None, subprotocol: str | None = None) -> None:
        """Complete the handshake and, in a header OpenEnv's clients ignore, name the session."""
        await self.receive()
        headers = [(b"x-openenv-session-id", session_id.encode())] if session_id else []
        chosen = {} if subprotocol is None else {"subprotocol": subprotocol}
        await self.send({"type": "websocket.accept", "headers": headers, **chosen})

    async def close(self, code: int = 1000) -> None:
        """Close the WebSocket; nothing happens where it is closed already."""
        try:
            await self.send({"type": "websocket.close", "code": code})
        except (OSError, RuntimeError):
            return

    def release(self) -> None:
        """Stop listening."""


class ReadAhead(Connection):
    """A WebSocket that is listened to while a reply is being made, so that a vanished peer ends it.

    Create it in the task that serves the connection. When the peer leaves, that task is cancelled
    and `end` tells why; where the connection broke, only after the grace time, so that the step
    under way may finish and its session be resumed.

    Args:
        connection: The WebSocket.
        clock: Where time comes from.
        grace_s: How long a step may go on after the connection broke.
        on_loss: Called when it breaks.
    """

    def __init__(
        self, connection: Connection, clock: Clock, grace_s: float, on_loss: Callable[[], None]
    ) -> None:
        super().__init__(connection.scope, self._next, connection.send, connection.principal)
        self.end: Disconnected | None = None
        self._wire = connection.receive
        self._clock = clock
        self._grace_s = grace_s
        self._on_loss = on_loss
        self._waiting = False
        self._messages: asyncio.Queue[Message] = asyncio.Queue(MOST_UNANSWERED)
        self._server = asyncio.current_task()
        self._reader = asyncio.create_task(self._read())

    async def _next(self) -> Message:
        """The next message, those read ahead first."""
        if self._messages.empty() and self.end is not None:
            raise self.end
        self._waiting = True
        try:
            return await self._messages.get()
        finally:
            self._waiting = False

    async def _read(self) -> None:
        self.end = Disconnected(await self._read_on())
        if self.end.lost:
            self._on_loss()
        if self.end.lost and not self._waiting:
            await self._clock.sleep(self._grace_s)
        awake = self._waiting and not self._messages.empty()  # it will meet the end by itself
        if self._server is not None and not awake:
            self._server.cancel()

    async def _read_on(self) -> Message:
        """Read to the message that says the peer has gone.

        A peer that goes on sending while nothing is answered is sent away: to stop reading would
        be to stop noticing that it has gone.
        """
        try:
            while (message := await self._wire())["type"] != "websocket.disconnect":
                await self._let_serve()
                if self._messages.full():
                    await self.close(1008)
                    return {"type": "websocket.disconnect", "code": 1000}
                self._messages.put_nowait(message)
        except (OSError, RuntimeError):  # how servers refuse to be read after the end
            return {"type": "websocket.disconnect", "code": 1006}
        return message

    async def _let_serve(self) -> None:
        """What came in one breath was not read yet only because nobody had a turn."""
        for _ in range(TURNS):
            if not self._messages.full():
                return
            await asyncio.sleep(0)

    def release(self) -> None:
        """Stop reading."""
        self._reader.cancel()
