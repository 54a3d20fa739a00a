"""`/mcp` in OpenEnv's JSON-RPC dialect, over POST and over a WebSocket."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Scope

from openenv_lite import codec
from openenv_lite.errors import (
    InvalidArgumentsError,
    InvalidJSONError,
    OpenEnvError,
    SessionError,
    UnknownMessageError,
)
from openenv_lite.mcp import envelope, legacy
from openenv_lite.pool import Pool
from openenv_lite.server.failures import json_response, typed
from openenv_lite.server.settings import ServerSettings
from openenv_lite.server.socket_endpoint import Reply, SocketEndpoint
from openenv_lite.session import Session
from openenv_lite.types import ServerMode

__all__ = ["LegacyMcp", "McpSocketEndpoint"]


class LegacyMcp:
    """Answers one JSON-RPC message at a time, in a session of the caller's or of the message's."""

    def __init__(self, pool: Pool, mode: ServerMode) -> None:
        self._pool = pool
        self._mode = mode
        self._methods: dict[str, Callable[[dict[str, Any], Session | None], Awaitable[Any]]] = {
            legacy.LIST_TOOLS: self._list_tools,
            legacy.CALL_TOOL: self._call_tool,
            legacy.CREATE_SESSION: self._create_session,
            legacy.CLOSE_SESSION: self._close_session,
        }

    async def post(self, request: HttpRequest) -> Response:
        """Answer a JSON-RPC request; the HTTP status is 200 even for a refusal, as OpenEnv's is."""
        text = await request.body()
        return json_response(await self.answer_text(text, None))

    async def answer_text(self, text: str | bytes, own: Session | None) -> dict[str, Any]:
        """The reply to a message still in bytes."""
        try:
            message = codec.parse(text)
            if not isinstance(message, dict):
                raise InvalidJSONError("A JSON-RPC message is an object")
        except InvalidJSONError as error:
            return envelope.failure(None, error)
        return await self.answer(message, own)

    async def answer(self, message: Any, own: Session | None) -> dict[str, Any]:
        """The reply to a message.

        Args:
            message: Plain values.
            own: The session of the WebSocket it came on; None over HTTP, where `params` may name
                one and else a session is made for this call alone.
        """
        identity = envelope.request_id(message)
        try:
            request = envelope.read(message)
            result = await self._method(request.method)(request.params, own)
            # Encoded here, inside the door: what an author returned may be unfit for JSON.
            return envelope.success(identity, msgspec.Raw(codec.encode(result)))
        except Exception as error:  # noqa: BLE001  the one door for JSON-RPC
            return envelope.failure(identity, typed(error, self._mode))

    def _method(self, name: str) -> Callable[[dict[str, Any], Session | None], Awaitable[Any]]:
        method = self._methods.get(name)
        if method is None:
            raise UnknownMessageError(f"Method not found: {name}")
        return method

    async def _list_tools(self, params: dict[str, Any], own: Session | None) -> Any:
        if own is not None:
            return _tools(own)
        async with self._pool.lease(self._mode, _target(params)) as session:
            return _tools(session)

    async def _call_tool(self, params: dict[str, Any], own: Session | None) -> Any:
        name, arguments = params.get("name"), params.get("arguments", {})
        if not name or not isinstance(name, str):
            raise InvalidArgumentsError("Missing 'name' in params")
        if not isinstance(arguments, dict):
            raise InvalidArgumentsError("'arguments' in params must be an object")
        if own is not None:
            return await own.call_tool(name, arguments)
        async with self._pool.lease(self._mode, _target(params)) as session:
            return await session.call_tool(name, arguments)

    async def _create_session(self, params: dict[str, Any], own: Session | None) -> Any:
        session = own or await self._pool.open(self._mode)
        return {"session_id": session.id}

    async def _close_session(self, params: dict[str, Any], own: Session | None) -> Any:
        target = _target(params)
        if target is None:
            raise InvalidArgumentsError("Invalid params - 'session_id' is required")
        if own is not None and own.id == target:
            raise SessionError("Cannot close active WebSocket-managed session via MCP method")
        if await self._pool.request_close(target, self._mode):
            return {"session_id": target, "closed": True}
        return {"session_id": target, "closed": False, "closing": True}


class McpSocketEndpoint(SocketEndpoint):
    """`/mcp` as a WebSocket: one JSON-RPC message a text frame, in a session of its own."""

    def __init__(self, pool: Pool, mode: ServerMode, settings: ServerSettings) -> None:
        super().__init__(pool, mode, settings)
        self._dialect = LegacyMcp(pool, mode)

    def answerer(self, scope: Scope, session: Session) -> Callable[[str], Reply]:
        """Every frame is a JSON-RPC message."""

        async def answer(frame: str) -> bytes:
            return codec.encode(await self._dialect.answer_text(frame, session))

        return answer

    def encode_error(self, error: OpenEnvError) -> bytes:
        """A JSON-RPC error that belongs to no request."""
        return codec.encode(envelope.failure(None, error))


def _target(params: dict[str, Any]) -> str | None:
    """The session a message names; None where it names none."""
    found = params.get("session_id")
    if found is not None and not isinstance(found, str):
        raise InvalidArgumentsError("'session_id' in params must be text")
    return found or None


def _tools(session: Session) -> dict[str, Any]:
    return {"tools": [legacy.tool_dump(spec) for spec in session.list_tools()]}
