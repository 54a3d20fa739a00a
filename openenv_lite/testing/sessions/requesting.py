"""One HTTP request exactly as it is written: no path is tidied, no header added but the needed."""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

import h11

from openenv_lite import codec
from openenv_lite.client.target import ASGIApp, Target
from openenv_lite.testing.sessions.fetching import MOST_BYTES

__all__ = ["PATIENCE_S", "Answer", "Asked", "Reply", "Requester"]

PATIENCE_S = 2.0
"""How long an answer may take."""

NO_ANSWER = 0
"""The status of a reply that did not come."""

_FAILED = 500


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Reply(NamedTuple):
    """An HTTP response: its body as JSON where it is, else as text."""

    status: int
    body: Any
    headers: Mapping[str, str]


class Asked(NamedTuple):
    """An HTTP request.

    Attributes:
        method: Any word.
        path: As it stands in the request line, with the query.
        body: Empty for none.
        headers: Besides the host's.
    """

    method: str
    path: str
    body: bytes
    headers: Mapping[str, str]


class Answer(NamedTuple):
    """A response with its body in bytes."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def read(self) -> Reply:
        """With the body read."""
        return Reply(self.status, _read(self.body), self.headers)


class Requester:
    """Sends requests to one server.

    Args:
        target: The server.
    """

    def __init__(self, target: Target) -> None:
        self._target = target

    async def request(self, asked: Asked) -> Reply:
        """One request, and its reply."""
        return (await self.exchange(asked)).read()

    async def request_all(self, asked: Iterable[Asked]) -> list[Reply]:
        """Many requests at once, for a server may be far away."""
        return await asyncio.gather(*map(self.request, asked))

    async def exchange(self, asked: Asked) -> Answer:
        """As `request`, with the body in bytes."""
        try:
            if self._target.app is None:
                async with asyncio.timeout(PATIENCE_S):
                    return await _over_socket(self._target, asked)
            return await _straight_to(self._target.app, self._scope(asked), asked.body)
        except (OSError, h11.ProtocolError):
            return Answer(NO_ANSWER, b"", {})

    def _scope(self, asked: Asked) -> dict[str, Any]:
        """What uvicorn makes of such a request."""
        raw, _, query = asked.path.partition("?")
        host = urlsplit(self._target.http_url("")).netloc
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": asked.method,
            "scheme": "http",
            "path": unquote(raw),
            "raw_path": raw.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(k.lower().encode(), v.encode()) for k, v in _named(host, asked.headers)],
            "client": ("in-process", 0),
            "server": (host, 80),
            "state": {},
        }


def _named(host: str, headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [("host", host), *headers.items()]


async def _over_socket(target: Target, asked: Asked) -> Answer:
    """Ask on a connection of its own, which is no dearer than to keep one."""
    url = urlsplit(target.http_url(""))
    reader, writer = await _connected(target, url)
    try:
        connection = h11.Connection(h11.CLIENT)
        length, closing = ("content-length", str(len(asked.body))), ("connection", "close")
        headers = [*_named(url.netloc, asked.headers), length, closing]
        line = url.path.rstrip("/") + asked.path
        for event in (
            h11.Request(method=asked.method, target=line, headers=headers),
            h11.Data(data=asked.body),
            h11.EndOfMessage(),
        ):
            writer.write(connection.send(event) or b"")
        return await _heard(connection, reader)
    finally:
        writer.close()


async def _connected(target: Target, url: SplitResult) -> Streams:
    if target.unix_path is not None:
        return await asyncio.open_unix_connection(target.unix_path)
    is_secure = url.scheme == "https"
    port = url.port or (443 if is_secure else 80)
    return await asyncio.open_connection(url.hostname, port, ssl=is_secure or None)


async def _heard(connection: h11.Connection, reader: asyncio.StreamReader) -> Answer:
    status, headers, parts, size = NO_ANSWER, {}, [], 0
    while not isinstance(event := connection.next_event(), h11.EndOfMessage | h11.ConnectionClosed):
        if event is h11.NEED_DATA:
            received = await reader.read(65536)
            size += len(received)
            if size > MOST_BYTES:  # whatever more comes shows nothing more
                break
            connection.receive_data(received)
        elif isinstance(event, h11.Response):
            status = event.status_code
            headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in event.headers}
        elif isinstance(event, h11.Data):
            parts.append(bytes(event.data))
    return Answer(status, b"".join(parts), headers)


async def _straight_to(app: ASGIApp, scope: dict[str, Any], body: bytes) -> Answer:
    """Ask an app of this process; an exception that leaves it is what servers make a 500 of."""
    exchange = _Exchange(body)
    task = asyncio.ensure_future(app(scope, exchange.receive, exchange.send))
    task.add_done_callback(lambda _: exchange.over.set())
    try:
        async with asyncio.timeout(PATIENCE_S):
            await exchange.over.wait()
    finally:
        exchange.left.set()
        with contextlib.suppress(Exception):
            async with asyncio.timeout(PATIENCE_S):
                await task
    failure = None if task.cancelled() else task.exception()
    if failure is not None and exchange.status == NO_ANSWER:
        return Answer(_FAILED, f"{type(failure).__name__}: {failure}".encode(), {})
    return Answer(exchange.status, b"".join(exchange.parts), exchange.headers)


class _Exchange:
    """The server's end of one request."""

    def __init__(self, body: bytes) -> None:
        self.status = NO_ANSWER
        self.headers: dict[str, str] = {}
        self.parts: list[bytes] = []
        self.over = asyncio.Event()
        self.left = asyncio.Event()
        self._body: bytes | None = body

    async def receive(self) -> dict[str, Any]:
        body, self._body = self._body, None
        if body is not None:
            return {"type": "http.request", "body": body, "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            pairs = message.get("headers", ())
            self.headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in pairs}
        elif message["type"] == "http.response.body":
            self.parts.append(message.get("body", b""))
            if not message.get("more_body"):
                self.over.set()


def _read(body: bytes) -> Any:
    try:
        return codec.parse(body)
    except Exception:  # noqa: BLE001  whatever it is, it is no JSON
        return body.decode("utf-8", "replace")
