"""A call of the echo tool over HTTP on two revisions of MCP, and what answers it rightly."""

import json
import socket
from typing import Any, NamedTuple

__all__ = [
    "IDENTITY",
    "LEGACY",
    "MODERN",
    "NO_SESSION",
    "REVISIONS",
    "Reply",
    "call",
    "check_call",
    "ending",
    "example",
    "initialize",
    "initialized",
    "read_reply",
    "session_of",
]

LEGACY, MODERN = REVISIONS = "2025-11-25", "2026-07-28"

IDENTITY = b"1000000"
"""Stands for a call's id: as long as those of the load, and nowhere else in a request."""

NO_SESSION = "0" * 43
"""Shown where a server gave none, so that all read the same headers."""

_CLIENT = {"name": "benchmark", "version": "1"}
_META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": _CLIENT,
}
_ROUTING = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "echo"}
_KINDS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
_END_OF_HEAD = b"\r\n\r\n"


class Reply(NamedTuple):
    """One whole HTTP reply; `head` without the empty line that ends it."""

    head: bytes
    body: bytes

    def header(self, name: bytes) -> bytes:
        """The value of a header, named in lower case as these servers send them; else empty."""
        _, _, after = self.head.partition(b"\r\n" + name + b": ")
        return after.partition(b"\r\n")[0]


def read_reply(received: bytes) -> Reply | None:
    """The one reply that was received; None while some of it is missing."""
    head, end, body = received.partition(_END_OF_HEAD)
    if not end:
        return None
    reply = Reply(head, body)
    size = reply.header(b"content-length")
    if not size.isdigit() or len(body) > int(size):
        raise ValueError(f"Not one reply with its length: {received!r}")
    return reply if len(body) == int(size) else None


def initialize(address: str) -> bytes:
    params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": _CLIENT}
    return _post(address, {}, {"id": 0, "method": "initialize", "params": params})


def session_of(reply: Reply) -> str:
    """The session that a reply to `initialize` opened."""
    return reply.header(b"mcp-session-id").decode() or NO_SESSION


def initialized(address: str, session: str) -> bytes:
    return _post(address, _within(session), {"method": "notifications/initialized"})


def call(address: str, revision: str, session: str, message: str) -> bytes:
    """A call whose id is `IDENTITY`."""
    params: dict[str, Any] = {"name": "echo", "arguments": {"message": message}}
    headers = _within(session) if revision == LEGACY else _ROUTING
    if revision == MODERN:
        params["_meta"] = _META
    body = {"id": int(IDENTITY), "method": "tools/call", "params": params}
    return _post(address, headers, body)


def ending(address: str, session: str) -> bytes:
    return _request("DELETE", address, _within(session))


def check_call(revision: str, identity: int, message: str, reply: Reply) -> None:
    """Raise ValueError unless this is the answer of the echo tool to this message."""
    if not reply.head.startswith(b"HTTP/1.1 200 "):
        raise ValueError(f"{message!r} was refused: {reply}")
    body = json.loads(reply.body)
    result = body.get("result", {})
    told = [result.get(name) for name in ("content", "structuredContent", "resultType")]
    kind = "complete" if revision == MODERN else None
    due = [[{"type": "text", "text": message}], {"result": message}, kind]
    if body.get("id") != identity or told != due or result.get("isError"):
        raise ValueError(f"{message!r} was answered with {reply.body!r}")


def example(address: str, revision: str) -> Reply:
    """What a server answers to one call, in a session of its own where it has them."""
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        session = NO_SESSION
        if revision == LEGACY:
            session = session_of(_ask(connection, initialize(address)))
            _ask(connection, initialized(address, session))
        reply = _ask(connection, call(address, revision, session, "hello"))
        check_call(revision, int(IDENTITY), "hello", reply)
        if session != NO_SESSION:
            _ask(connection, ending(address, session))
    return reply


def _ask(connection: socket.socket, request: bytes) -> Reply:
    connection.sendall(request)
    received = b""
    while (reply := read_reply(received)) is None:
        received += connection.recv(65536)
    return reply


def _within(session: str) -> dict[str, str]:
    return {"Mcp-Session-Id": session, "MCP-Protocol-Version": LEGACY}


def _post(address: str, headers: dict[str, str], message: dict[str, Any]) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":"))
    return _request("POST", address, {**_KINDS, **headers}, body)


def _request(method: str, address: str, headers: dict[str, str], body: str = "") -> bytes:
    lines = [f"{method} /mcp HTTP/1.1", f"Host: {address}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}", "", body]
    return "\r\n".join(lines).encode()
