"""`/ws`: OpenEnv's protocol over a WebSocket. It decodes, calls one session method, encodes."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.types import Receive, Scope, Send

from openenv_lite import protocol
from openenv_lite.conversation.dialect import Caller, OpenEnvDialect
from openenv_lite.errors import OpenEnvError
from openenv_lite.pool import Pool
from openenv_lite.server.authorization import shows_token
from openenv_lite.server.connection import Connection
from openenv_lite.server.guard import Guard
from openenv_lite.server.lanes import LanesEndpoint
from openenv_lite.server.requests import form_of, headers_of
from openenv_lite.server.settings import ServerSettings
from openenv_lite.server.socket_endpoint import Answer, Reply, SocketEndpoint
from openenv_lite.session import Session
from openenv_lite.types import ServerMode

__all__ = ["WebSocketEndpoint"]

Serve = Callable[[Session, Any], Reply]
Dialogue = tuple[Callable[[str], Any], dict[Any, Serve]]


class WebSocketEndpoint(SocketEndpoint):
    """`/ws`. In production its messages hold no control unless the peer shows the token."""

    def __init__(
        self, pool: Pool, mode: ServerMode, guard: Guard, settings: ServerSettings
    ) -> None:
        super().__init__(pool, mode, guard, settings)
        action_type = pool.blueprint.action_type
        self._token = settings.control_token
        self._mcp = OpenEnvDialect(pool, mode)
        self._lanes = LanesEndpoint(pool, mode, guard, settings)
        self._agent = self._dialogue(protocol.MessageDecoder(action_type, mode))
        self._trainer = self._dialogue(protocol.MessageDecoder(action_type, mode, control=True))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket, in OpenEnv's protocol unless the peer asks for ours."""
        form = form_of(scope)
        if form is not None:
            await self._lanes.serve(form, scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def _dialogue(self, decoder: protocol.MessageDecoder) -> Dialogue:
        """A decoder, and what answers each type it may return."""
        answers: dict[str, Serve] = {
            "reset": _reset,
            "step": _step_inline if self.pool.blueprint.inline else _step,
            "state": _state,
            "mcp": self._rpc,
            "close": _close,
        }
        return decoder.decode, {kind: answers[name] for kind, name in decoder.names.items()}

    @contextlib.asynccontextmanager
    async def answering(self, connection: Connection, session: Session) -> AsyncIterator[Answer]:
        """Bind the message set this peer may use."""
        decode, answers = self._trainer if self._is_trainer(connection.scope) else self._agent

        def answer(frame: str) -> Reply:
            message = decode(frame)
            return answers[type(message)](session, message)

        yield answer

    def _is_trainer(self, scope: Scope) -> bool:
        return shows_token(headers_of(scope), self._token)

    async def _rpc(self, session: Session, message: Any) -> bytes:
        return protocol.encode_mcp(await self._mcp.answer(message.data, Caller(session)))

    def encode_error(self, error: OpenEnvError) -> bytes:
        """An error frame."""
        return protocol.encode_error(error)


async def _reset(session: Session, message: Any) -> bytes:
    return protocol.encode_observation(await session.reset(message.data))


async def _step(session: Session, message: Any) -> bytes:
    return protocol.encode_observation(await session.step(message.data))


def _step_inline(session: Session, message: Any) -> bytes:
    return protocol.encode_observation(session.step_inline(message.data))


async def _state(session: Session, message: Any) -> bytes:
    return protocol.encode_state(await session.state())


async def _close(session: Session, message: Any) -> None:
    """Nothing is answered; the connection ends."""
