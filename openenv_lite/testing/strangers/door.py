"""A server as anybody on the network may treat it: raw HTTP, raw WebSockets, and an agent's MCP."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from openenv_lite import codec
from openenv_lite.batches import Format
from openenv_lite.client.async_socket import AsyncSocket
from openenv_lite.client.inprocess import AsyncInProcess
from openenv_lite.client.target import ConnectionSettings, Target
from openenv_lite.client.transport import SUBPROTOCOL_HEADER
from openenv_lite.errors import ConnectionLostError, InvalidJSONError, OpenEnvError
from openenv_lite.testing.sessions.agent import AgentGame
from openenv_lite.testing.sessions.game import Run
from openenv_lite.testing.sessions.requesting import PATIENCE_S, Asked, Reply
from openenv_lite.testing.sessions.seen import short
from openenv_lite.testing.strangers.attacks import Attempt
from openenv_lite.testing.subject import ServerSubject, subject_of
from openenv_lite.types import ServerMode

__all__ = ["Conversation", "Door", "Socket", "knock"]

_NO_HEADERS: Mapping[str, str] = {}

_JSON_HEADERS = {
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
}
_REVISION = "2025-11-25"
_NO_CLOSE_FRAME = 1006


class _Place(Target, frozen=True):
    """A WebSocket anywhere on a server."""

    path: str = "/ws"

    def websocket_url(self, session: str | None = None) -> str:
        """Of the place."""
        return super().websocket_url().removesuffix("/ws") + self.path


class _InProcess(AsyncInProcess):
    """As `AsyncInProcess`, with a sudden end."""

    def vanish(self) -> None:
        """End without a close frame."""
        self._hang_up(_NO_CLOSE_FRAME)


class _OverSocket(AsyncSocket):
    """As `AsyncSocket`, with a sudden end."""

    def vanish(self) -> None:
        """End without a close frame."""
        if self._connection is not None:
            self._connection.disconnect()


class Door:
    """A server as anybody may treat it. Paths, methods, headers and frames go out as they are.

    Args:
        server: The server.
        owned: What is closed with it.
    """

    def __init__(self, server: ServerSubject, owned: Any = None) -> None:
        self.server = server
        self._owned = owned
        self._open: list[Socket] = []

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> Reply:
        """One HTTP request; a body that is no bytes is sent as JSON."""
        asked = _asked(method, path, body, headers)
        return self.server.run(self.server.requester.request(asked))

    def request_all(self, attempts: Iterable[Attempt]) -> list[Reply]:
        """Many HTTP requests at once."""
        asked = [_asked(*each) for each in attempts]
        return self.server.run(self.server.requester.request_all(asked))

    def socket(
        self,
        path: str = "/ws",
        subprotocol: str | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> "Socket":
        """A WebSocket.

        Raises:
            ConnectionFailedError: It was refused.
        """
        settings = ConnectionSettings(connect_timeout_s=PATIENCE_S, headers={**headers})
        place = _Place(self.server.base_url, self.server.app, settings, path)
        form = None if subprotocol is None else Format(subprotocol, True, codec.encode, _no_decoder)
        kind = _OverSocket if self.server.app is None else _InProcess
        socket = Socket(kind(place, form), self.server.run)
        self._open.append(socket)
        return socket

    def converse(
        self,
        path: str,
        *messages: Any,
        subprotocol: str | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> list[Any]:
        """What a WebSocket of its own answers to each message, None where it says nothing.

        Raises:
            ConnectionFailedError: It was refused.
        """
        socket = self.socket(path, subprotocol, headers)
        try:
            return [socket.ask(each) for each in messages]
        finally:
            socket.close()

    def agent(self) -> AgentGame:
        """An agent's session: tools, and nothing else."""
        return AgentGame(self.server.requester, self.server.run)

    def mcp(self) -> "Conversation":
        """A conversation by MCP's own rules.

        Raises:
            OpenEnvError: The server does not know them.
        """
        return Conversation(self)

    def close(self) -> None:
        """Close what is open."""
        for socket in self._open:
            socket.close()
        if self._owned is not None:
            self._owned.close()


class Socket:
    """One WebSocket. What is sent is JSON text, or whatever text is given.

    Args:
        transport: Not connected yet.
        run: Runs coroutines on the event loop of the server's subject.

    Attributes:
        headers: Of the answer to the handshake.
    """

    def __init__(self, transport: _InProcess | _OverSocket, run: Run[Any]) -> None:
        self._transport: _InProcess | _OverSocket | None = transport
        self._run = run
        self._patience_s = PATIENCE_S
        self.headers: Mapping[str, str] = run(transport.connect(None))

    @property
    def subprotocol(self) -> str | None:
        """Which one the server chose."""
        return self.headers.get(SUBPROTOCOL_HEADER)

    def ask(self, message: Any) -> Any:
        """Send a message, and what is said next; None where nothing is, or the connection ended.

        A server that was silent once is waited for less from then on.
        """
        return self._run(self._ask(message if isinstance(message, str) else _text(message)))

    async def _ask(self, text: str) -> Any:
        if self._transport is None:
            return None
        await self._transport.send(text.encode())
        return await self._next()

    def hear(self) -> Any:
        """What is said next without having been asked; None as in `ask`."""
        return self._run(self._next())

    async def _next(self) -> Any:
        if self._transport is None:
            return None
        try:
            return _read(await self._transport.receive(self._patience_s))
        except TimeoutError:
            self._patience_s = PATIENCE_S / 20
            return None
        except ConnectionLostError:
            return None

    @property
    def loss(self) -> str | None:
        """How the connection ended; None where it stands."""
        if self._transport is None:
            return "closed"
        ended = self._run(self._transport.loss())
        return None if ended is None else str(ended.message)

    def vanish(self) -> None:
        """End without a close frame, as a client does whose machine lost its power."""
        if self._transport is not None:
            self._transport.vanish()

    def close(self) -> None:
        """Hang up, without a word of this protocol's."""
        transport, self._transport = self._transport, None
        if transport is not None:
            self._run(transport.close(0))


class Conversation:
    """An agent's conversation over `/mcp` by MCP's own rules, with a session of its own.

    Args:
        server: The server.
        note: Told every request, as Python.

    Raises:
        OpenEnvError: It answers no `initialize`.
    """

    def __init__(self, server: Door, note: Callable[[str], None] | None = None) -> None:
        self._server = server
        self._note: Callable[[str], None] = lambda line: None
        self._ids = itertools.count(1)
        self._headers: dict[str, str] = {}
        client = {"name": "openenv_lite.testing", "version": "1"}
        beginning = {"protocolVersion": _REVISION, "capabilities": {}, "clientInfo": client}
        self.ask("initialize", beginning)
        self._server.request("POST", "/mcp", _rpc("notifications/initialized"), self._headers)
        if note is not None:
            self._note = note

    def ask(self, method: str, params: Any) -> Any:
        """The result of one request.

        Raises:
            OpenEnvError: There is none; says what there is.
        """
        body = {**_rpc(method), "params": params, "id": next(self._ids)}
        reply = self._server.request("POST", "/mcp", body, self._headers)
        if "mcp-session-id" in reply.headers:
            session = reply.headers["mcp-session-id"]
            self._headers = {"mcp-session-id": session, "mcp-protocol-version": _REVISION}
        answer = _first_answer(reply.body)
        if "result" not in answer:
            told = answer.get("error", reply.status or "silence")
            raise OpenEnvError(f"{method} was answered with {told}")
        self._note(f"mcp.ask({method!r}, {params!r})  # {short(answer['result'])}")
        return answer["result"]

    def close(self) -> None:
        """End the session."""
        if self._headers:
            self._server.request("DELETE", "/mcp", None, self._headers)


def knock(
    target: Any, mode: ServerMode | str = ServerMode.PRODUCTION, most: int | None = None
) -> Door:
    """A target's server, to be treated as anybody may.

    Args:
        target: As `check_environment` takes it; a class is served in this process.
        mode: In which a class is served; a server has its own.
        most: How many sessions a class is served to at once.
    """
    subject = subject_of(target)
    return Door(subject.served(ServerMode(mode), most), subject)


def _asked(method: str, path: str, body: Any, headers: Mapping[str, str]) -> Asked:
    content = body if isinstance(body, bytes) else b"" if body is None else codec.encode(body)
    return Asked(method, path, content, {**(_JSON_HEADERS if content else {}), **headers})


def _rpc(method: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method}


def _first_answer(body: Any) -> dict[str, Any]:
    """The JSON-RPC response in a body of JSON, or of server-sent events."""
    if isinstance(body, str):
        events = [_read(line[5:].encode()) for line in body.splitlines() if line[:5] == "data:"]
        body = next((each for each in events if isinstance(each, dict) and "id" in each), None)
    return body if isinstance(body, dict) else {}


def _text(message: Any) -> str:
    return codec.encode(message).decode()


def _read(frame: bytes) -> Any:
    try:
        return codec.parse(frame)
    except InvalidJSONError:
        return frame.decode("utf-8", "replace")


def _no_decoder(kind: Any) -> Any:
    raise NotImplementedError
