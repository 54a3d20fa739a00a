"""What a row of the table is made of.

A WebSocket message is any JSON value, or raw text (`Text`) or bytes (`Binary`). `SESSION` inside
a body stands for the session id that the server gave earlier in the same row.
"""

from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "LIST",
    "RESET",
    "SESSION",
    "STATE",
    "Binary",
    "Message",
    "Request",
    "Row",
    "Text",
    "act",
    "bare_step",
    "call",
    "call_rpc",
    "fresh",
    "http",
    "mcp",
    "plain",
    "post",
    "reset",
    "rpc",
    "socket",
    "step",
    "tools",
    "wrapped",
]

SESSION = "<session>"


@dataclass(frozen=True)
class Text:
    """A text frame or a body as it stands."""

    raw: str


@dataclass(frozen=True)
class Binary:
    """A binary frame."""

    raw: bytes


@dataclass(frozen=True)
class Request:
    """An HTTP request; a body that is neither `Text` nor None is sent as JSON."""

    method: str
    path: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


Message = Any


@dataclass(frozen=True)
class Row:
    """One fresh connection (or several requests) and what is sent on it, in order."""

    name: str
    app: str
    path: str
    """Of the WebSocket; empty for HTTP."""
    messages: tuple[Message, ...]
    holders: int = 0
    """Connections that are open already."""


STATE = {"type": "state"}
RESET = {"type": "reset"}
LIST = {"type": "step", "data": {"type": "list_tools"}}


def reset(**data: Any) -> dict[str, Any]:
    """A reset with options."""
    return {"type": "reset", "data": data}


def step(**fields: Any) -> dict[str, Any]:
    """A step of the plain environment."""
    return {"type": "step", "data": {"text": "hi", **fields}}


def bare_step(**data: Any) -> dict[str, Any]:
    """A step with exactly these fields."""
    return {"type": "step", "data": data}


def call(tool: Any, **arguments: Any) -> dict[str, Any]:
    """A step that calls a tool."""
    data = {"type": "call_tool", "tool_name": tool, "arguments": arguments}
    return {"type": "step", "data": data}


def rpc(method: Any, params: Any = None, **extra: Any) -> dict[str, Any]:
    """A JSON-RPC request with id 1."""
    given = {} if params is None else {"params": params}
    return {"jsonrpc": "2.0", "method": method, "id": 1, **given, **extra}


def call_rpc(tool: Any, arguments: Any, **params: Any) -> dict[str, Any]:
    """A JSON-RPC tool call."""
    return rpc("tools/call", {"name": tool, "arguments": arguments, **params})


def post(path: str, body: Any = None) -> Request:
    """A POST."""
    return Request("POST", path, body)


def act(*, around: dict[str, Any] | None = None, **fields: Any) -> Request:
    """A stateless step."""
    return post("/step", {"action": {"text": "hi", **fields}, **(around or {})})


def plain(name: str, *messages: Message, path: str = "/ws") -> Row:
    """Sent to the plain environment over `/ws`."""
    return Row(f"plain ws: {name}", "plain", path, messages)


def fresh(name: str, *messages: Message) -> Row:
    """As `plain`, after a reset, and with the state asked for at the end."""
    return Row(f"plain ws: {name}", "plain", "/ws", (RESET, *messages, STATE))


def tools(name: str, *messages: Message) -> Row:
    """Sent to the tool environment over `/ws`, after a reset."""
    return Row(f"tools ws: {name}", "tools", "/ws", (RESET, *messages))


def wrapped(name: str, *requests: Any, app: str = "tools") -> Row:
    """JSON-RPC inside `mcp` messages over `/ws`, without a reset."""
    messages = tuple({"type": "mcp", "data": each} for each in requests)
    return Row(f"{app} ws mcp: {name}", app, "/ws", messages)


def socket(name: str, *messages: Message) -> Row:
    """JSON-RPC over the WebSocket `/mcp`."""
    return Row(f"tools mcp socket: {name}", "tools", "/mcp", messages)


def http(name: str, *requests: Request, app: str = "plain") -> Row:
    """HTTP requests, independent but for a session id."""
    return Row(f"{app} http: {name}", app, "", requests)


def mcp(name: str, *bodies: Any, app: str = "tools") -> Row:
    """JSON-RPC over POST `/mcp`."""
    return Row(f"{app} mcp http: {name}", app, "", tuple(post("/mcp", each) for each in bodies))
