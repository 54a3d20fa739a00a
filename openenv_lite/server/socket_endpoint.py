"""What `/ws` and the `/mcp` socket share: lease a session, answer frames, let it go."""

import asyncio
import contextlib
import functools
import itertools
from collections.abc import Awaitable, Callable

from starlette.types import Message, Receive, Scope, Send

from openenv_lite.context import InputRequired
from openenv_lite.errors import (
    InvalidJSONError,
    MessageTooLargeError,
    OpenEnvError,
)
from openenv_lite.failures import typed
from openenv_lite.pool import Pool
from openenv_lite.server.authorization import CONTROL_TOKEN, Principal, Refusal, Verdict
from openenv_lite.server.connection import Connection, Disconnected, ReadAhead
from openenv_lite.server.guard import Guard
from openenv_lite.server.requests import headers_of, query
from openenv_lite.server.settings import ServerSettings
from openenv_lite.session import Session
from openenv_lite.types import ServerMode
from openenv_lite.workers import new_id

__all__ = ["Answer", "Reply", "SocketEndpoint", "frame_of", "let_in"]

Reply = bytes | Awaitable[bytes | None]
"""A reply that is there at once, or one to wait for; empty where none is sent now."""

Answer = Callable[[str], Reply]
"""From a text frame to its reply, or to None where the peer says goodbye."""

FAIR_SHARE = 16
"""Messages after which a connection lets the others have a turn, however many it sent ahead."""


class SocketEndpoint:
    """A WebSocket endpoint; a subclass says how a frame is answered.

    Args:
        pool: Where sessions come from.
        mode: The mode of the app the endpoint stands in.
        guard: Decides who is let in.
        settings: Limits.
    """

    def __init__(
        self, pool: Pool, mode: ServerMode, guard: Guard, settings: ServerSettings
    ) -> None:
        self.pool = pool
        self.mode = mode
        self.guard = guard
        self.limit = settings.max_message_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket from handshake to close."""
        connection = await let_in(self.guard, scope, receive, send)
        if connection is None:
            return
        wanted = query(scope, "session_id")
        own = new_id()
        principal = connection.principal
        await connection.accept(own if wanted is None else wanted if wanted in self.pool else None)
        try:
            if wanted is None:
                session = await self.pool.open_held(self.mode, own, connection, principal)
            else:
                session = self.join(wanted, connection)
        except OpenEnvError as error:
            await self._refuse(connection, error)
            return
        await self._serve(connection, session)

    def join(self, session_id: str, connection: Connection) -> Session:
        """The session that the peer names; this connection then holds it."""
        return self.pool.attach(session_id, connection, self.mode, connection.principal)

    async def _refuse(self, connection: Connection, error: OpenEnvError) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            await connection.send(frame_of(self.encode_error(error)))
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
                await holder.close()  # a peer that hears of it may count on the slot

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
        return False

    async def _converse(self, connection: Connection, session: Session) -> None:
        async with self.answering(connection, session) as answer:
            await self._answer_all(connection, answer)

    async def _answer_all(self, connection: Connection, answer: Answer) -> None:
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
            except (Exception, InputRequired) as error:  # noqa: BLE001  the one door here
                refusal = typed(error, self.mode)
                await send(frame_of(self.encode_error(refusal)))
                if refusal.close_code is not None:
                    return
                continue
            if reply is None:
                return
            if reply:
                await send(frame_of(reply))

    def answering(
        self, connection: Connection, session: Session
    ) -> contextlib.AbstractAsyncContextManager[Answer]:
        """What answers the frames of one connection, for as long as that lives."""
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


def frame_of(text: bytes) -> Message:
    """A text frame."""
    return {"type": "websocket.send", "text": text.decode()}


async def let_in(guard: Guard, scope: Scope, receive: Receive, send: Send) -> Connection | None:
    """The WebSocket, still to be accepted; None where its peer was turned away."""
    headers = headers_of(scope)
    verdict: Verdict = guard.check(headers, scope) or await guard.authorize(headers, scope)
    if isinstance(verdict, Refusal):
        await _turn_away(scope, receive, send, verdict)
        return None
    return Connection(scope, receive, send, _owner(verdict))


def _owner(verdict: Principal | None) -> str | None:
    """To whom the session shall belong; a trainer's is for the agents that it tells the id."""
    if verdict is None or verdict.subject == CONTROL_TOKEN:
        return None
    return verdict.subject


async def _turn_away(scope: Scope, receive: Receive, send: Send, refusal: Refusal) -> None:
    """Refuse the handshake, with the HTTP response where the server can send one."""
    await receive()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    start = {"status": refusal.status, "headers": refusal.headers}
    await send({"type": "websocket.http.response.start", **start})
    await send({"type": "websocket.http.response.body", "body": refusal.body})
