"""A client of one connection that carries all its messages, over whatever it is."""

import json
from typing import Any

from websockets.sync.client import ClientConnection

__all__ = ["STATELESS", "Socket", "Talker", "text_of"]

STATELESS = "2026-07-28"

PREFIX = "io.modelcontextprotocol/"


class Talker:
    """Speaks plain JSON-RPC; a subclass moves the messages."""

    def write(self, message: bytes) -> None:
        """Send one message as it is."""
        raise NotImplementedError

    def hear(self) -> Any:
        """The next message."""
        raise NotImplementedError

    def say(self, method: str, params: Any = None, **named: Any) -> None:
        """Send a message; `id=` makes it a request."""
        given = {"params": params} if params is not None else {}
        self.write(json.dumps({"jsonrpc": "2.0", "method": method, **given, **named}).encode())

    def begin(self, revision: str = "2025-11-25", **capabilities: Any) -> Any:
        """Shake hands; what the server says of itself."""
        params = {
            "protocolVersion": revision,
            "capabilities": capabilities,
            "clientInfo": {"name": "test", "version": "1"},
        }
        self.say("initialize", params, id="hello")
        found = self.hear()
        self.say("notifications/initialized")
        return found["result"]

    def call(self, tool: str, identity: int | str, **arguments: Any) -> None:
        """Ask for a tool call within a handshake."""
        self.say("tools/call", {"name": tool, "arguments": arguments}, id=identity)

    def say_alone(self, method: str, identity: int | str, params: Any = None, **meta: Any) -> None:
        """Make a request of 2026-07-28; `meta` are further fields of its `_meta`."""
        own = {f"{PREFIX}protocolVersion": STATELESS, f"{PREFIX}clientCapabilities": {}}
        named = {f"{PREFIX}{key}": value for key, value in meta.items()}
        self.say(method, {**(params or {}), "_meta": {**own, **named}}, id=identity)

    def call_alone(self, tool: str, identity: int | str, **more: Any) -> None:
        """Ask for a tool call on 2026-07-28, of a client that can show forms."""
        params = {"name": tool, "arguments": {}, **more}
        self.say_alone("tools/call", identity, params, clientCapabilities={"elicitation": {}})

    def hear_text(self) -> str:
        """The text of the next message, the result of a tool call."""
        return text_of(self.hear())

    def hear_error(self) -> tuple[Any, int]:
        """Id and code of the next message, an error."""
        found = self.hear()
        return found.get("id"), found["error"]["code"]


class Socket(Talker):
    """A WebSocket; a message is a text frame."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def write(self, message: bytes) -> None:
        """Send one message as it is."""
        self.connection.send(message.decode())

    def hear(self) -> Any:
        """The next message."""
        frame = self.connection.recv(timeout=20)
        assert isinstance(frame, str)
        return json.loads(frame)


def text_of(reply: Any) -> str:
    """The text of a tool call's result."""
    text: str = reply["result"]["content"][0]["text"]
    return text
