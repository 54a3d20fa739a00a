"""`/mcp` as a WebSocket: one JSON-RPC message a text frame, in a session of its own.

No revision of MCP defines this transport. It follows the rules of stdio: the first message tells
the revision, notifications cancel requests, replies come as they are ready.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable

from openenv_lite import codec
from openenv_lite.conversation.dialect import Caller
from openenv_lite.conversation.link import Link
from openenv_lite.conversation.service import Service
from openenv_lite.conversation.stream import Answer
from openenv_lite.conversation.tenant import Guest
from openenv_lite.errors import OpenEnvError
from openenv_lite.mcp import envelope
from openenv_lite.server.connection import Connection
from openenv_lite.server.guard import Guard
from openenv_lite.server.settings import ServerSettings
from openenv_lite.server.socket_endpoint import Answer as Answering
from openenv_lite.server.socket_endpoint import Reply, SocketEndpoint, frame_of
from openenv_lite.session import Session

__all__ = ["McpSocketEndpoint"]

LATER = b""
"""Nothing to send now: the reply goes out by itself."""


class McpSocketEndpoint(SocketEndpoint):
    """`/mcp` as a WebSocket."""

    def __init__(self, service: Service, guard: Guard, settings: ServerSettings) -> None:
        super().__init__(service.site.pool, service.site.mode, guard, settings)
        self._service = service

    def join(self, session_id: str, connection: Connection) -> Session:
        """An agent is a guest in the session it names: that does not end or wait with it."""
        return self.pool.touch(session_id, self.mode, connection.principal)

    @contextlib.asynccontextmanager
    async def answering(self, connection: Connection, session: Session) -> AsyncIterator[Answering]:
        """Every frame is a message for the link, which lives as long as the connection."""
        principal = connection.principal

        async def write(body: bytes) -> None:
            await connection.send(frame_of(body))

        tenant = Guest(self.pool, self.mode, session.id, principal)
        link = Link(self._service, tenant, Caller(session, principal), write)

        def answer(frame: str) -> Reply:
            pending = link.receive(frame)
            return LATER if pending is None else _body_of(pending)

        try:
            yield answer
        finally:
            await link.close()

    def encode_error(self, error: OpenEnvError) -> bytes:
        """A JSON-RPC error that belongs to no request."""
        return codec.encode(envelope.failure(None, error))


async def _body_of(pending: Awaitable[Answer]) -> bytes:
    return (await pending).body or LATER
