"""What `/ws` and the `/mcp` socket share: lease a session, answer frames, let it go."""

import asyncio
import contextlib
import functools
import itertools
import uuid
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from starlette.types import Message, Receive, Scope, Send

from openenv_lite.errors import (
    InvalidJSONError,
    MessageTooLargeError,
    OpenEnvError,
)
from openenv_lite.pool import Pool
from openenv_lite.server.connection import Connection, Disconnected, ReadAhead
from openenv_lite.server.failures import typed
from openenv_lite.server.settings import ServerSettings
from openenv_lite.session import Session
from openenv_lite.types import ServerMode

__all__ = ["Reply", "SocketEndpoint"]

Reply = bytes | Awaitable[bytes | None]
"""A reply that is there at once, or one to wait for."""


FAIR_SHARE = 16
"""Messages after which a connection lets the others have a turn, however many it sent ahead."""


class SocketEndpoint:
    """A WebSocket endpoint; a subclass says how a frame is answered.

    Args:
        pool: Where sessions come from.
        mode: The mode of the app the endpoint stands in.
        settings: Limits.
    """

    def __init__(self, pool: Pool, mode: ServerMode, settings: ServerSettings) -> None:
        self.pool = pool
        self.mode = mode
        self.limit = settings.max_message_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket from handshake to close."""
        connection = Connection(scope, receive, send)
        wanted = _query(scope, "session_id")
        own = str(uuid.uuid4())
        await connection.accept(own if wanted is None else wanted if wanted in self.pool else None)
        try:
            if wanted is None:
                session = await self.pool.open_held(self.mode, own, connection)
            else:
                session = self.pool.attach(wanted, connection, self.mode)
        except OpenEnvError as error:
            await self._refuse(connection, error)
            return
        await self._serve(connection, session)

    async def _refuse(self, connection: Connection, error: OpenEnvError) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            await connection.send(_frame(self.encode_error(error)))
        await connection.close(error.close_code or 1000)

    async def _serve(self, holder: Connection, session: Session) -> None:
        connection = holder
        if not self.pool.blueprint.inline:
            on_loss = functools.partial(self.pool.lose, session.id, holder)
            grace_s = self.pool.settings.resume_grace_s
            connection = ReadAhead(holder, self.pool.clock, grace_s, on_loss)
        lost = False
        try:
            lost = await self._until_gone(connection, session)
        finally:
            connection.release()
            if lost:
                self.pool.lose(session.id, holder)
            else:
                await asyncio.shield(self.pool.detach(session, holder))

    async def _until_gone(self, connection: Connection, session: Session) -> bool:
        """Converse to the end; whether that end was a broken connection."""
        try:
            return await self._end_of(connection, session)
        except asyncio.CancelledError:
            end = getattr(connection, "end", None)
            task = asyncio.current_task()
            if end is None or task is None:
                raise
            if task.uncancel():  # somebody else cancelled it too
                raise
            return bool(end.lost)

    async def _end_of(self, connection: Connection, session: Session) -> bool:
        try:
            await self._converse(connection, session)
        except Disconnected as end:
            return end.lost
        except (OSError, RuntimeError):  # how servers refuse to send to a peer that has gone
            return await _is_lost(connection)
        connection.release()
        await connection.close()
        return False

    async def _converse(self, connection: Connection, session: Session) -> None:
        answer = self.answerer(connection.scope, session)
        receive, send = connection.receive, connection.send
        for turn in itertools.count(1):
            if turn % FAIR_SHARE == 0:
                await asyncio.sleep(0)
            message = await receive()
            try:
                text = message.get("text")
                if text is None or len(text) > self.limit:
                    raise _unreadable(message, self.limit)
                pending = answer(text)
                reply = pending if isinstance(pending, bytes) else await pending
            except Disconnected:
                raise
            except Exception as error:  # noqa: BLE001  the one door for WebSockets
                refusal = typed(error, self.mode)
                await send(_frame(self.encode_error(refusal)))
                if refusal.close_code is not None:
                    return
                continue
            if reply is None:
                return
            await send(_frame(reply))

    def answerer(self, scope: Scope, session: Session) -> Callable[[str], Reply]:
        """A function from a text frame to its reply, or to None where the peer says goodbye."""
        raise NotImplementedError

    def encode_error(self, error: OpenEnvError) -> bytes:
        """The error in this endpoint's dialect."""
        raise NotImplementedError


def _unreadable(message: Message, limit: int) -> Exception:
    if message["type"] == "websocket.disconnect":
        return Disconnected(message)
    text = message.get("text")
    if text is None:
        return InvalidJSONError("Invalid JSON: binary frame; this protocol sends JSON as text")
    return MessageTooLargeError(f"Message of {len(text)} characters; the server reads {limit}")


async def _is_lost(connection: Connection) -> bool:
    """Read on to the end of a connection that cannot be sent to, and what that end was."""
    try:
        while (message := await connection.receive())["type"] != "websocket.disconnect":
            pass
    except Disconnected as end:
        return end.lost
    return Disconnected(message).lost


def _frame(text: bytes) -> Message:
    return {"type": "websocket.send", "text": text.decode()}


def _query(scope: Scope, name: str) -> str | None:
    values = parse_qs(scope["query_string"].decode("latin-1")).get(name)
    return values[0] if values else None
