"""An ASGI app on a free port, and an app that plays a script."""

import contextlib
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import parse_qs

import uvicorn

__all__ = ["Peer", "playing", "serve"]


@contextlib.contextmanager
def serve(app: Any, path: str | None = None) -> Iterator[str]:
    """Serve in a thread, on a Unix domain socket if a path is given; the base URL."""
    listener = _tcp_listener() if path is None else _unix_listener(path)
    config = uvicorn.Config(
        app, log_level="critical", ws="websockets-sansio", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"unix://{path}" if path else f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def _tcp_listener() -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _unix_listener(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    return listener


class Peer:
    """The server's end of one WebSocket."""

    def __init__(self, scope: Any, receive: Any, send: Any) -> None:
        self.headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.path: str = scope["path"]
        self.session = parse_qs(scope["query_string"].decode()).get("session_id", [None])[0]
        self._receive = receive
        self._send = send

    async def accept(self, session: str | None = None) -> None:
        await self._receive()
        headers = [(b"x-openenv-session-id", session.encode())] if session else []
        await self._send({"type": "websocket.accept", "headers": headers})

    async def request(self) -> dict[str, Any]:
        """The next message; `{"type": "gone"}` once there is none."""
        event = await self._receive()
        gone = {"type": "gone", "code": event.get("code")}
        return json.loads(event["text"]) if "text" in event else gone

    async def send(self, kind: str, data: Any) -> None:
        text = json.dumps({"type": kind, "data": data})
        await self._send({"type": "websocket.send", "text": text})

    async def observe(self, **observation: Any) -> None:
        data = {"observation": observation, "reward": None, "done": False}
        await self.send("observation", data)

    async def fail(self, code: str, message: str = "", **details: Any) -> None:
        await self.send("error", {"message": message, "code": code, **details})

    async def close(self, code: int = 1000) -> None:
        await self._send({"type": "websocket.close", "code": code})

    async def echo(self) -> None:
        """Answer every message with what it said, until the peer goes."""
        while (message := await self.request())["type"] not in ("gone", "close"):
            if message["type"] == "state":
                await self.send("state", {"episode_id": "e", "step_count": 1, "extra": [1]})
            else:
                await self.observe(**message)


def playing(*scripts: Callable[[Peer], Awaitable[None]]) -> Any:
    """An app whose first WebSocket is served by the first script, and so on; the last goes on."""
    left = list(scripts)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            raise NotImplementedError
        await (left.pop(0) if len(left) > 1 else left[0])(Peer(scope, receive, send))

    return app
