"""A WebSocket client of an ASGI app on this event loop, which may vanish in any way it likes."""

import asyncio
from collections.abc import Mapping
from typing import Any, Self

import msgspec

from tests.leaks import until

__all__ = ["Peer"]

_NOTHING: Any = object()


class Peer:
    """One connection: `async with Peer(app) as peer: await peer.ask("reset")`."""

    def __init__(
        self,
        app: Any,
        path: str = "/ws",
        query: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.scope = _scope(path, query, headers or {})
        self.headers: dict[str, str] = {}
        self.close_code: int | None = None
        self._app = app
        self._gone = False
        self.broken = False
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_app: asyncio.Queue[str] = asyncio.Queue()
        self._accepted = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._to_app.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(self._app(self.scope, self._to_app.get, self._take))
        await until(lambda: self._accepted.is_set() or self.task.done())
        return self

    async def __aexit__(self, *_: object) -> None:
        if not self._gone:
            await self.leave()

    @property
    def session_id(self) -> str:
        """What the handshake called the session."""
        return self.headers["x-openenv-session-id"]

    @property
    def unheard(self) -> int:
        """Replies that have come and not been listened to."""
        return self._from_app.qsize()

    def send(self, frame: str | bytes) -> None:
        """A frame as it stands."""
        kind = "text" if isinstance(frame, str) else "bytes"
        self._to_app.put_nowait({"type": "websocket.receive", kind: frame})

    def say(self, kind: str, data: Any = _NOTHING) -> None:
        """A message of OpenEnv's protocol."""
        message = {"type": kind} if data is _NOTHING else {"type": kind, "data": data}
        self.send(msgspec.json.encode(message).decode())

    async def hear(self) -> Any:
        """The next reply."""
        return msgspec.json.decode(await asyncio.wait_for(self._from_app.get(), 10))

    async def ask(self, kind: str, data: Any = _NOTHING) -> Any:
        """A message and the `data` of its reply."""
        self.say(kind, data)
        return (await self.hear())["data"]

    async def call(self, method: str, **params: Any) -> Any:
        """A JSON-RPC request and its reply, on `/mcp` or inside an mcp message on `/ws`."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        if self.scope["path"].endswith("/ws"):
            return await self.ask("mcp", request)
        self.send(msgspec.json.encode(request).decode())
        return await self.hear()

    def vanish(self, code: int = 1006) -> None:
        """Be gone, without waiting for the app to notice."""
        self._gone = True
        self._to_app.put_nowait({"type": "websocket.disconnect", "code": code, "reason": ""})

    async def leave(self, code: int = 1000) -> None:
        """Be gone, and wait until the app has done with the connection."""
        self.vanish(code)
        await asyncio.wait_for(asyncio.shield(self.task), 10)

    async def closed(self) -> int:
        """The code the app closes with."""
        await until(lambda: self.close_code is not None)
        assert self.close_code is not None
        return self.close_code

    async def _take(self, message: Any) -> None:
        """The app's `send`."""
        if self._gone or self.broken:
            raise OSError("the peer has gone")
        match message["type"]:
            case "websocket.accept":
                self.headers = {k.decode(): v.decode() for k, v in message.get("headers", ())}
                self._accepted.set()
            case "websocket.send":
                self._from_app.put_nowait(message["text"])
            case "websocket.close":
                self.close_code = message.get("code", 1000)


def _scope(path: str, query: str, headers: Mapping[str, str]) -> dict[str, Any]:
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws",
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
        "client": ("test", 0),
        "server": ("test", 80),
        "subprotocols": [],
        "state": {},
    }
