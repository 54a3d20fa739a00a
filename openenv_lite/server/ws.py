"""`/ws`: OpenEnv's protocol over a WebSocket. It decodes, calls one session method, encodes."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import Scope

from openenv_lite import protocol
from openenv_lite.errors import OpenEnvError
from openenv_lite.pool import Pool
from openenv_lite.server.mcp import LegacyMcp
from openenv_lite.server.settings import ServerSettings
from openenv_lite.server.socket_endpoint import SocketEndpoint
from openenv_lite.session import Session
from openenv_lite.types import ServerMode

__all__ = ["WebSocketEndpoint"]


class WebSocketEndpoint(SocketEndpoint):
    """`/ws`. In production its messages hold no control unless the peer shows the token."""

    def __init__(self, pool: Pool, mode: ServerMode, settings: ServerSettings) -> None:
        super().__init__(pool, mode, settings)
        action_type = pool.blueprint.action_type
        self._token = settings.control_token
        self._agent = protocol.MessageDecoder(action_type, mode)
        self._trainer = protocol.MessageDecoder(action_type, mode, control=True)
        self._mcp = LegacyMcp(pool, mode)
        self._answers: dict[str, Callable[[Session, Any], Awaitable[bytes | None]]] = {
            "reset": self._reset,
            "step": self._step,
            "state": self._state,
            "mcp": self._rpc,
            "close": self._close,
        }

    def answerer(self, scope: Scope, session: Session) -> Callable[[str], Awaitable[bytes | None]]:
        """Bind the message set this peer may use."""
        decode = (self._trainer if self._is_trainer(scope) else self._agent).decode
        answers = self._answers

        async def answer(frame: str) -> bytes | None:
            message = decode(frame)
            return await answers[message.__struct_config__.tag](session, message)

        return answer

    def _is_trainer(self, scope: Scope) -> bool:
        if self._token is None:
            return False
        given = dict(scope["headers"]).get(b"authorization", b"")
        return hmac.compare_digest(given, b"Bearer " + self._token.encode())

    async def _reset(self, session: Session, message: Any) -> bytes:
        return protocol.encode_observation(await session.reset(message.data))

    async def _step(self, session: Session, message: Any) -> bytes:
        return protocol.encode_observation(await session.step(message.data))

    async def _state(self, session: Session, message: Any) -> bytes:
        return protocol.encode_state(await session.state())

    async def _rpc(self, session: Session, message: Any) -> bytes:
        return protocol.encode_mcp(await self._mcp.answer(message.data, session))

    async def _close(self, session: Session, message: Any) -> None:
        return None

    def encode_error(self, error: OpenEnvError) -> bytes:
        """An error frame."""
        return protocol.encode_error(error)
