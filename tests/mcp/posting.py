"""HTTP requests to `/mcp` byte for byte, as no well-behaved client would send them."""

import http.client
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

__all__ = [
    "META",
    "STATELESS",
    "Client",
    "Fields",
    "Reply",
    "exchange",
    "fields_of_2026",
    "meta",
    "request",
]

META = "io.modelcontextprotocol/"
STATELESS = "2026-07-28"
TIMEOUT_S = 20

Fields = Iterable[tuple[str, str | bytes]]
"""Header names and values, in order; a name may come twice."""

_USUAL = {
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
}


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def messages(self) -> list[Any]:
        """Every JSON-RPC message of the body, whichever way it came."""
        if not self.body:
            return []
        if self.headers["content-type"] == "text/event-stream":
            lines = self.body.decode().splitlines()
            data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
            return [json.loads(each) for each in data if each]
        assert self.headers["content-type"] == "application/json"
        return [json.loads(self.body)]

    @property
    def message(self) -> Any:
        """The last message, which is the answer."""
        return self.messages[-1]

    @property
    def result(self) -> Any:
        """Of a request that was carried out."""
        assert "result" in self.message, self
        return self.message["result"]

    @property
    def refusal(self) -> tuple[int, int]:
        """Status and code."""
        return self.status, self.message["error"]["code"]


def exchange(
    port: int,
    body: bytes | Sequence[bytes] = b"",
    fields: Fields = (),
    method: str = "POST",
    query: str = "",
    may_last: bool = False,
) -> Reply:
    """One request on a connection of its own; a body in several parts goes out in chunks.

    `Content-Type` and `Accept` are as they should be, unless given; one given as empty is left out.
    A stream that may last until the client leaves it is left as soon as it begins.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        _write(connection, method, f"/mcp{query}", [*fields], body)
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        is_stream = headers.get("content-type") == "text/event-stream"
        is_left = is_stream and (may_last or method == "GET")
        return Reply(response.status, headers, b"" if is_left else response.read())
    finally:
        connection.close()


def _write(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    fields: list[tuple[str, str | bytes]],
    body: bytes | Sequence[bytes],
) -> None:
    given = {name.lower() for name, _ in fields}
    usual = [(name, value) for name, value in _USUAL.items() if name not in given]
    connection.putrequest(method, path, skip_host="host" in given, skip_accept_encoding=True)
    for name, value in [*usual, *fields]:
        if value:
            connection.putheader(name, value)
    if isinstance(body, bytes):
        connection.putheader("content-length", str(len(body)))
        connection.endheaders(body)
    else:
        connection.putheader("transfer-encoding", "chunked")
        connection.endheaders(iter(body), encode_chunked=True)


def fields_of_2026(method: str, name: str | None = None) -> list[tuple[str, str | bytes]]:
    """The headers that a request of 2026-07-28 needs."""
    fields: list[tuple[str, str | bytes]] = [
        ("mcp-protocol-version", STATELESS),
        ("mcp-method", method),
    ]
    return fields if name is None else [*fields, ("mcp-name", name)]


def request(method: str = "ping", identity: Any = 1, **params: Any) -> dict[str, Any]:
    """A request by its parts."""
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}


def meta(revision: Any = STATELESS) -> dict[str, Any]:
    """The `_meta` of a request of 2026-07-28."""
    return {f"{META}protocolVersion": revision, f"{META}clientCapabilities": {}}


class Client:
    """One client on one revision; with a handshake, unless that is 2026-07-28.

    Args:
        port: Of the server on this machine.
        revision: To speak.
        fields: Headers of every request.
    """

    def __init__(self, port: int, revision: str = "2025-11-25", fields: Fields = ()) -> None:
        self.port = port
        self.revision = revision
        self.is_stateless = revision == STATELESS
        self.fields: list[tuple[str, str | bytes]] = [
            ("mcp-protocol-version", revision),
            *fields,
        ]
        if not self.is_stateless:
            self._begin()

    def _begin(self) -> None:
        params = {"protocolVersion": self.revision, "capabilities": {}}
        reply = self.ask("initialize", params, "hello")
        assert reply.result["protocolVersion"] == self.revision
        self.fields.append(("mcp-session-id", reply.headers["mcp-session-id"]))
        reply = self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert (reply.status, reply.body) == (202, b"")

    def send(self, message: Any, fields: Fields = ()) -> Reply:
        """Post whatever it is, bytes as they are."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return exchange(self.port, body, [*self.fields, *fields])

    def ask(self, method: str, params: Any = None, identity: Any = 1) -> Reply:
        """Make a request in good order."""
        params = dict(params or {})
        message = {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}
        if not self.is_stateless:
            return self.send(message)
        own = {f"{META}protocolVersion": self.revision, f"{META}clientCapabilities": {}}
        params["_meta"] = {**own, **params.get("_meta", {})}
        named = params.get("name", params.get("uri"))
        return self.send(message, fields_of_2026(method, named)[1:])

    def call(self, tool: str, **arguments: Any) -> Reply:
        """Call a tool."""
        return self.ask("tools/call", {"name": tool, "arguments": arguments})

    def end(self) -> int:
        """Give up the session; the status."""
        return exchange(self.port, b"", self.fields, "DELETE").status
