"""One HTTP request to an ASGI app on this event loop, whose reply is read as it comes."""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import msgspec

from tests.leaks import until

__all__ = ["Event", "Exchange"]


class Event(NamedTuple):
    """A server-sent event; without data it is a comment or primes the stream."""

    id: str | None
    retry: str | None
    data: Any


class Exchange:
    """`async with Exchange(app, "POST", message, headers) as reply: await reply.json()`.

    At the end the client is gone, if the app has not done with it by then.
    """

    def __init__(
        self,
        app: Any,
        method: str = "POST",
        message: Any = None,
        headers: Mapping[str, str] | None = None,
        query: str = "",
        path: str = "/mcp",
    ) -> None:
        body = b"" if message is None else msgspec.json.encode(message)
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.is_complete = False
        self._app = app
        self.scope = _scope(method, headers or {}, query, path)
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._to_app.put_nowait({"type": "http.request", "body": body, "more_body": False})

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self._app(self.scope, self._to_app.get, self._take))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.vanish()
        await asyncio.wait_for(self.task, 10)

    def vanish(self) -> None:
        """Break the connection off."""
        self._to_app.put_nowait({"type": "http.disconnect"})

    async def begun(self) -> Self:
        """Wait for the status."""
        await until(lambda: self.status or self.task.done())
        return self

    async def json(self) -> Any:
        """The whole reply, which must be JSON."""
        await until(lambda: self.is_complete or self.task.done())
        assert self.headers["content-type"] == "application/json", self.body
        return msgspec.json.decode(self.body)

    async def events(self, count: int | None = None) -> list[Event]:
        """The first events, or all there are once the reply is complete."""
        await until(lambda: self.is_complete if count is None else len(self._events()) >= count)
        assert self.headers["content-type"] == "text/event-stream"
        return self._events()[:count]

    def _events(self) -> list[Event]:
        *complete, _ = self.body.decode().split("\n\n")
        return [_event(text) for text in complete]

    async def _take(self, message: Any) -> None:
        """The app's `send`."""
        if message["type"] == "http.response.start":
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            self.status = message["status"]
        else:
            self.body += message.get("body", b"")
            self.is_complete = not message.get("more_body", False)


def _event(text: str) -> Event:
    fields = dict(line.split(": ", 1) for line in text.split("\n"))
    data = fields.get("data")
    return Event(fields.get("id"), fields.get("retry"), msgspec.json.decode(data) if data else None)


def _scope(method: str, headers: Mapping[str, str], query: str, path: str) -> dict[str, Any]:
    given = {"content-type": "application/json", "host": "localhost", **headers}
    given.setdefault("accept", "application/json, text/event-stream")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(k.lower().encode(), v.encode()) for k, v in given.items()],
        "client": ("test", 0),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
