"""Requests that belong to another worker go there and back, over its Unix socket.

What travels is what ASGI says, the scope first: so the other worker judges the request by the very
address, headers and bytes that the client sent, and streams and WebSockets need nothing of their
own. The socket's folder is the workers' alone; nothing that a client sends is a message of theirs.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openenv_lite import codec, protocol
from openenv_lite.batches import Format, Refused, described
from openenv_lite.conversation.refusals import refusal
from openenv_lite.errors import UnknownSessionError
from openenv_lite.mcp import envelope
from openenv_lite.mcp.headers import SESSION
from openenv_lite.server.failures import http_failure
from openenv_lite.server.replies import tell
from openenv_lite.server.requests import form_of, query
from openenv_lite.workers import PLEA, Line, Worker, here, open_line

__all__ = ["WorkerApp", "carry", "whole_again"]

log = logging.getLogger(__name__)

_END = "end"
"""Type of the last message of an answer."""

_ORIGIN = "openenv_lite.origin"
"""Where the scope keeps what mounts change in it."""

_SCOPE = (
    *("type", "asgi", "http_version", "method", "scheme", "path", "raw_path", "root_path"),
    *("query_string", "headers", "client", "server", "subprotocols", "extensions"),
)


class WorkerApp:
    """The app of one worker, which takes from others what is for it and gives them what is theirs.

    Args:
        app: What is served.
        worker: This process.
    """

    def __init__(self, app: ASGIApp, worker: Worker) -> None:
        self._app = app
        self._worker = worker
        self._state: dict[str, Any] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request here, or have it served where its session is."""
        if scope["type"] == "lifespan":
            self._state = scope.get("state")
        else:
            scope[_ORIGIN] = {name: scope.get(name, "") for name in ("path", "root_path")}
            number = self._worker.holder_of(_session_named(scope))
            if number != self._worker.number:
                await carry(number, scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def listen(
        self, inner: socket.socket, tasks: "set[asyncio.Task[None]]"
    ) -> asyncio.Server:
        """Take what other workers send.

        Args:
            inner: A listening Unix socket.
            tasks: Where what is being served stands, for whoever waits for it to end.
        """

        def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._take(Line(reader, writer)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        return await asyncio.start_unix_server(take, sock=inner)

    async def _take(self, line: Line) -> None:
        try:
            first = await line.receive()
            if first is None:
                return
            answer = self._plead if first["type"] == PLEA else self._serve
            with contextlib.suppress(OSError):  # it has gone
                await line.send(await answer(first, line))
                await line.until_hung_up()
        finally:
            line.close()

    async def _plead(self, plea: Message, line: Line) -> Message:
        return {"type": PLEA, "granted": await self._worker.pleas[plea["pool"]]()}

    async def _serve(self, scope: Scope, line: Line) -> Message:
        scope["headers"] = [(name, value) for name, value in scope["headers"]]
        for end in ("client", "server"):
            scope[end] = scope[end] and tuple(scope[end])
        if self._state is not None:
            scope["state"] = dict(self._state)
        scope[_ORIGIN] = {name: scope[name] for name in ("path", "root_path")}
        gone = {"type": f"{scope['type']}.disconnect", "code": 1006}

        async def receive() -> Message:
            return await line.receive() or gone

        try:
            await self._app(scope, receive, line.send)
        except Exception:
            log.exception("A request that came by way of another worker failed")
        return {"type": _END}


def _session_named(scope: Scope) -> str:
    """The session of the request's header, else of its URL; empty where it names none."""
    for name, value in scope["headers"]:
        if name == SESSION:
            return str(value, "latin-1").strip(" \t")
    return query(scope, "session_id") or ""


def whole_again(body: bytes, receive: Receive) -> Receive:
    """Receives a body that has been read already, then what comes after it."""
    bodies: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def read_again() -> Message:
        return bodies.pop() if bodies else await receive()

    return read_again


async def carry(number: int, scope: Scope, receive: Receive, send: Send) -> None:
    """Have a request served by the worker of this number.

    Where that one ends before it has answered, the client is told that its session went with it;
    an answer that has begun breaks off, as it would if this process had ended.
    """
    worker = here()
    assert worker is not None
    begun: list[Message] = []

    async def pass_on(message: Message) -> None:
        if not begun:
            begun.append(message)
        with contextlib.suppress(OSError, RuntimeError):  # the worker is told by the disconnect
            await send(message)

    if not await _carried(worker.path_of(number), scope, receive, pass_on):
        log.warning("Worker %d ended while it answered %s", number, scope["path"])
        with contextlib.suppress(OSError, RuntimeError):
            await _LOSSES[scope["type"]](scope, send, begun)


async def _carried(path: str, scope: Scope, receive: Receive, pass_on: Send) -> bool:
    """Whether the answer came to its end."""
    try:
        line = await open_line(path)
    except OSError:
        return False
    feeding = None
    try:
        known = {name: scope[name] for name in _SCOPE if name in scope}
        await line.send({**known, **scope[_ORIGIN]})
        feeding = asyncio.create_task(_feed(line, receive))
        while (message := await line.receive()) is not None and message["type"] != _END:
            await pass_on(message)
    except OSError:
        return False
    finally:
        if feeding is not None:
            feeding.cancel()
        line.close()
    return message is not None


async def _feed(line: Line, receive: Receive) -> None:
    with contextlib.suppress(OSError):
        while True:
            message = await receive()
            await line.send(message)
            if message["type"].endswith(".disconnect"):
                return


_LOST = UnknownSessionError(
    "The worker that held the session has ended, and the session with it: begin a new one"
)


async def _tell_over_http(scope: Scope, send: Send, begun: list[Message]) -> None:
    if begun:
        return
    if scope["path"].endswith("/mcp"):
        await tell(send, refusal(None, _LOST))
    else:
        await http_failure(_LOST)(scope, _nothing, send)


async def _tell_over_websocket(scope: Scope, send: Send, begun: list[Message]) -> None:
    form = form_of(scope)
    if not begun:
        await send({"type": "websocket.accept", "subprotocol": form and form.subprotocol})
    await send({"type": "websocket.send", **_told(scope, form)})
    await send({"type": "websocket.close", "code": _LOST.close_code})


def _told(scope: Scope, form: Format | None) -> dict[str, Any]:
    """The loss in the words of whoever asked."""
    if form is not None:
        frame = form.encode(Refused(None, described(_LOST)))
        return {form.kind: frame.decode() if form.is_text else frame}
    is_rpc = scope["path"].endswith("/mcp")
    frame = codec.encode(envelope.failure(None, _LOST)) if is_rpc else protocol.encode_error(_LOST)
    return {"text": frame.decode()}


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


_LOSSES: dict[str, Callable[..., Any]] = {
    "http": _tell_over_http,
    "websocket": _tell_over_websocket,
}
