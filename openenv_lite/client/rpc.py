"""OpenEnv's JSON-RPC dialect on `/mcp` without I/O: one request, one reply, typed errors."""

import itertools
from typing import Any

from openenv_lite import codec
from openenv_lite.client.remote_errors import session_error
from openenv_lite.errors import (
    CapacityError,
    FactoryError,
    InvalidArgumentsError,
    InvalidJSONError,
    OpenEnvError,
    RequestError,
    ToolFailedError,
    UnknownMessageError,
    UnknownToolError,
)
from openenv_lite.types import ToolSpec

__all__ = [
    "CALL_TOOL",
    "CLOSE_SESSION",
    "CREATE_SESSION",
    "LIST_TOOLS",
    "Rpc",
    "tools_of",
    "value_of",
]

CREATE_SESSION = "openenv/session/create"
CLOSE_SESSION = "openenv/session/close"
LIST_TOOLS = "tools/list"
CALL_TOOL = "tools/call"

_CLASSES: dict[int, type[OpenEnvError]] = {
    -32700: InvalidJSONError,
    -32600: RequestError,
    -32601: UnknownMessageError,
    -32602: InvalidArgumentsError,
    -32000: FactoryError,
}

_TEXTS: tuple[tuple[str, type[OpenEnvError]], ...] = (
    ("Unknown tool", UnknownToolError),
    ("Tool not found", UnknownToolError),
)
_PYDANTIC_REFUSAL = "validation error for call["


class Rpc:
    """Requests and replies of one client."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)

    def request(self, method: str, params: dict[str, Any]) -> bytes:
        """The body to post."""
        return codec.encode(
            {"jsonrpc": "2.0", "method": method, "params": params, "id": next(self._ids)}
        )

    def result(self, method: str, status: int, body: bytes) -> Any:
        """The result in a reply to `method`.

        Raises:
            OpenEnvError: What the server answered instead, as the class it means.
        """
        try:
            reply = codec.parse(body)
        except InvalidJSONError:
            raise OpenEnvError(f"{method} was answered with HTTP {status} and no JSON") from None
        if not isinstance(reply, dict) or not reply.keys() & {"result", "error"}:
            raise OpenEnvError(f"{method} was answered with HTTP {status} and no JSON-RPC")
        if reply.get("error") is not None:
            raise _error(method, reply["error"])
        return reply["result"]


def _error(method: str, error: dict[str, Any]) -> OpenEnvError:
    """The class must be known by number and text: JSON-RPC has no room for our codes."""
    message, data = str(error.get("message", "")), error.get("data")
    details = data if isinstance(data, dict) else {}
    return _class(method, error.get("code"), message, details)(message, **details)


def _class(method: str, number: Any, message: str, details: dict[str, Any]) -> type[OpenEnvError]:
    if message.startswith("Unknown session_id"):
        return session_error(message)
    for text, kind in _TEXTS:
        if message.startswith(text):
            return kind
    if _PYDANTIC_REFUSAL in message:
        return InvalidArgumentsError
    if "max_sessions" in details:
        return CapacityError
    return _CLASSES.get(number, ToolFailedError if method == CALL_TOOL else OpenEnvError)


def tools_of(result: Any) -> list[ToolSpec]:
    """The tools in the result of `tools/list`, whichever spelling of the schema's name it has."""
    return [
        ToolSpec(
            name=tool["name"],
            description=tool.get("description") or "",
            input_schema=tool.get("input_schema") or tool.get("inputSchema") or {},
        )
        for tool in result["tools"]
    ]


def value_of(name: str, result: Any) -> Any:
    """The plain value in the result of `tools/call`.

    Raises:
        ToolFailedError: The result says it is an error.
    """
    if not isinstance(result, dict):
        return result
    if result.get("is_error") or result.get("isError"):
        texts = [block.get("text", "") for block in result.get("content") or ()]
        raise ToolFailedError(" ".join(texts) or f"Tool {name!r} failed", result=result)
    return result.get("data", result)
