"""Plays a row of the table against a server and writes down what came back."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.interop.rows import SESSION, Binary, Message, Request, Row, Text

__all__ = ["play"]

REPLY_S = 10
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def play(row: Row, port: int) -> list[Any]:
    """The replies to the row's messages: JSON values, session ids written as `SESSION`.

    A closed WebSocket is `{"closed": code}` and ends the row; an HTTP reply is
    `{"status", "type", "allow"?, "body"}`.
    """
    return _play_socket(row, port) if row.path else _play_http(row, port)


def _play_socket(row: Row, port: int) -> list[Any]:
    url = f"ws://127.0.0.1:{port}"
    with ExitStack() as connections:
        for _ in range(row.holders):
            connections.enter_context(_hold(url))
        socket = connections.enter_context(connect(f"{url}{row.path}", compression=None))
        return _exchange(socket, row.messages)


@contextmanager
def _hold(url: str) -> Iterator[None]:
    """Take a session; the last row's may still be closing."""
    deadline = time.monotonic() + REPLY_S
    while time.monotonic() < deadline:
        with connect(f"{url}/ws") as holder:
            if _has_session(holder):
                yield
                return
    raise TimeoutError("every session stays taken")


def _has_session(holder: ClientConnection) -> bool:
    with suppress(ConnectionClosed):
        holder.send('{"type": "state"}')
        return bool(json.loads(holder.recv(REPLY_S))["type"] == "state")
    return False


def _exchange(socket: ClientConnection, messages: tuple[Message, ...]) -> list[Any]:
    replies: list[Any] = []
    session = ""
    try:
        for message in messages:
            socket.send(_frame(message, session))
            raw = str(socket.recv(REPLY_S))
            session = session or _session(raw)
            replies.append(_parse(raw))
        return replies
    except ConnectionClosed:
        return [*replies, *_unread(socket), {"closed": socket.close_code}]


def _unread(socket: ClientConnection) -> list[Any]:
    """Frames that arrived unprompted before the close."""
    frames = []
    try:
        while True:
            frames.append(_parse(str(socket.recv(REPLY_S))))
    except ConnectionClosed:
        return frames


def _play_http(row: Row, port: int) -> list[Any]:
    replies: list[Any] = []
    session = ""
    with ExitStack() as connections:
        for _ in range(row.holders):
            connections.enter_context(_hold(f"ws://127.0.0.1:{port}"))
        client = connections.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}"))
        for request in row.messages:
            reply = client.send(_request(client, request, session), follow_redirects=False)
            session = session or _session(reply.text)
            replies.append(_http_reply(reply))
    return replies


def _request(client: httpx.Client, request: Request, session: str) -> httpx.Request:
    content = None if request.body is None else _frame(request.body, session)
    kind = {} if content is None else {"content-type": "application/json"}
    return client.build_request(
        request.method, request.path, content=content, headers={**kind, **request.headers}
    )


def _http_reply(reply: httpx.Response) -> dict[str, Any]:
    methods = reply.headers.get("allow", "")
    allow = {"allow": sorted(methods.split(", "))} if methods else {}
    kind = reply.headers.get("content-type")
    return {"status": reply.status_code, "type": kind, **allow, "body": _parse(reply.text)}


def _frame(message: Message, session: str) -> str | bytes:
    if isinstance(message, Text | Binary):
        return message.raw
    return json.dumps(message).replace(SESSION, session)


def _session(raw: str) -> str:
    found = _UUID.search(raw)
    return found[0] if found else ""


def _parse(raw: str) -> Any:
    try:
        return json.loads(_UUID.sub(SESSION, raw))
    except ValueError:
        return {"text": raw}
