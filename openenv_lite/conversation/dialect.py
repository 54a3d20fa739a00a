"""OpenEnv's own JSON-RPC on `/mcp`: two methods for tools, two for sessions, no handshake."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from openenv_lite import codec
from openenv_lite.content import openenv_result
from openenv_lite.context import InputRequired
from openenv_lite.conversation.stream import Answer
from openenv_lite.errors import (
    InvalidArgumentsError,
    InvalidJSONError,
    SessionError,
    UnknownMessageError,
)
from openenv_lite.failures import typed
from openenv_lite.mcp import envelope, legacy
from openenv_lite.pool import Pool
from openenv_lite.session import Session
from openenv_lite.types import ServerMode

__all__ = ["Caller", "OpenEnvDialect"]


class Caller(msgspec.Struct):
    """Who sends a message: the session of its WebSocket, if it came on one, and its principal."""

    session: Session | None = None
    principal: str | None = None


Method = Callable[[dict[str, Any], Caller], Awaitable[Any]]


class OpenEnvDialect:
    """Answers one JSON-RPC message at a time, in a session of the caller's or of the message's.

    Without a session a call gets an environment for itself alone, as in OpenEnv.
    """

    def __init__(self, pool: Pool, mode: ServerMode) -> None:
        self._pool = pool
        self._mode = mode
        self._methods: dict[str, Method] = {
            legacy.LIST_TOOLS: self._list_tools,
            legacy.CALL_TOOL: self._call_tool,
            legacy.CREATE_SESSION: self._create_session,
            legacy.CLOSE_SESSION: self._close_session,
        }

    async def answer_bytes(self, text: str | bytes, caller: Caller) -> Answer:
        """The reply to a message still in bytes; HTTP says 200 even to a refusal, as OpenEnv."""
        try:
            message = codec.parse(text)
            if not isinstance(message, dict):
                raise InvalidJSONError("A JSON-RPC message is an object")
        except InvalidJSONError as error:
            return Answer(codec.encode(envelope.failure(None, error)))
        return Answer(codec.encode(await self.answer(message, caller)))

    async def answer(self, message: Any, caller: Caller) -> dict[str, Any]:
        """The reply to a message of plain values."""
        identity = envelope.request_id(message)
        try:
            request = envelope.read(message)
            result = await self._method(request.method)(request.params, caller)
            # Encoded here, inside the door: what an author returned may be unfit for JSON.
            return envelope.success(identity, msgspec.Raw(codec.encode(result)))
        except (Exception, InputRequired) as error:  # noqa: BLE001  the one door for this dialect
            return envelope.failure(identity, typed(error, self._mode))

    def _method(self, name: str) -> Method:
        method = self._methods.get(name)
        if method is None:
            raise UnknownMessageError(f"Method not found: {name}")
        return method

    async def _list_tools(self, params: dict[str, Any], caller: Caller) -> Any:
        if caller.session is not None:
            return _tools(caller.session)
        async with self._pool.lease(self._mode, _target(params), caller.principal) as session:
            return _tools(session)

    async def _call_tool(self, params: dict[str, Any], caller: Caller) -> Any:
        name, arguments = params.get("name"), params.get("arguments", {})
        if not name or not isinstance(name, str):
            raise InvalidArgumentsError("Missing 'name' in params")
        if not isinstance(arguments, dict):
            raise InvalidArgumentsError("'arguments' in params must be an object")
        if caller.session is not None:
            return openenv_result(await caller.session.call_tool(name, arguments))
        async with self._pool.lease(self._mode, _target(params), caller.principal) as session:
            return openenv_result(await session.call_tool(name, arguments))

    async def _create_session(self, params: dict[str, Any], caller: Caller) -> Any:
        session = caller.session or await self._pool.open(self._mode, owner=caller.principal)
        return {"session_id": session.id}

    async def _close_session(self, params: dict[str, Any], caller: Caller) -> Any:
        target = _target(params)
        if target is None:
            raise InvalidArgumentsError("Invalid params - 'session_id' is required")
        if caller.session is not None and caller.session.id == target:
            raise SessionError("Cannot close active WebSocket-managed session via MCP method")
        if await self._pool.request_close(target, self._mode, caller.principal):
            return {"session_id": target, "closed": True}
        return {"session_id": target, "closed": False, "closing": True}


def _target(params: dict[str, Any]) -> str | None:
    """The session a message names; None where it names none."""
    found = params.get("session_id")
    if found is not None and not isinstance(found, str):
        raise InvalidArgumentsError("'session_id' in params must be text")
    return found or None


def _tools(session: Session) -> dict[str, Any]:
    return {"tools": [legacy.tool_dump(spec) for spec in session.list_tools()]}
