"""What `/ws` and the `/mcp` socket share: lease a session, answer frames, let it go."""

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from openenv_lite.errors import (
    InvalidJSONError,
    MessageTooLargeError,
    OpenEnvError,
    RequestError,
)
from openenv_lite.pool import Pool
from openenv_lite.server.connection import Connection, Disconnected, ReadAhead
from openenv_lite.server.failures import typed
from openenv_lite.server.settings import ServerSettings
from openenv_lite.session import Session
from openenv_lite.types import ServerMode

__all__ = ["SocketEndpoint"]


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
        identity = wanted or str(uuid.uuid4())
        await connection.accept(identity)
        try:
            session = await self._lease(identity, opening=wanted is None)
        except OpenEnvError as error:
            await self._refuse(connection, error)
            return
        await self._serve(connection, session, owned=wanted is None)

    async def _lease(self, identity: str, opening: bool) -> Session:
        if opening:
            await self.pool.open(self.mode, identity)
        return self.pool.attach(identity)

    async def _refuse(self, connection: Connection, error: OpenEnvError) -> None:
        with contextlib.suppress(Disconnected):
            await connection.send(self.encode_error(error))
        await connection.close(error.close_code or 1000)

    async def _serve(self, connection: Connection, session: Session, owned: bool) -> None:
        if not self.pool.blueprint.inline:
            grace_s = self.pool.settings.resume_grace_s
            connection = ReadAhead(connection, self.pool.clock, grace_s)
        lost = False
        try:
            lost = await self._until_gone(connection, session)
        finally:
            connection.release()
            await asyncio.shield(self._let_go(session, owned, lost))

    async def _until_gone(self, connection: Connection, session: Session) -> bool:
        """Converse to the end; whether that end was a broken connection."""
        try:
            await self._converse(connection, session)
        except Disconnected as end:
            return end.lost
        except asyncio.CancelledError:
            end_or_none = getattr(connection, "end", None)
            task = asyncio.current_task()
            if end_or_none is None or task is None:
                raise
            task.uncancel()
            return bool(end_or_none.lost)
        await connection.close()
        return False

    async def _let_go(self, session: Session, owned: bool, lost: bool) -> None:
        await self.pool.detach(session, lost=lost)
        if owned and not lost:
            await self.pool.close(session)

    async def _converse(self, connection: Connection, session: Session) -> None:
        answer = self.answerer(connection.scope, session)
        while True:
            frame = await connection.frame()
            try:
                if isinstance(frame, bytes) or len(frame) > self.limit:
                    raise self._unreadable(frame)
                reply = await answer(frame)
            except Exception as error:  # noqa: BLE001  the one door for WebSockets
                refusal = typed(error, self.mode)
                await connection.send(self.encode_error(refusal))
                if refusal.close_code is not None:
                    return
                continue
            if reply is None:
                return
            await connection.send(reply)

    def _unreadable(self, frame: str | bytes) -> RequestError:
        if isinstance(frame, bytes):
            return InvalidJSONError("Invalid JSON: binary frame; this protocol sends JSON as text")
        return MessageTooLargeError(
            f"Message of {len(frame)} characters; the server reads up to {self.limit}"
        )

    def answerer(self, scope: Scope, session: Session) -> Callable[[str], Awaitable[bytes | None]]:
        """A function from a text frame to its reply, or to None where the peer says goodbye."""
        raise NotImplementedError

    def encode_error(self, error: OpenEnvError) -> bytes:
        """The error in this endpoint's dialect."""
        raise NotImplementedError


def _query(scope: Scope, name: str) -> str | None:
    values = parse_qs(scope["query_string"].decode("latin-1")).get(name)
    return values[0] if values else None
