"""A real uvicorn in a thread of this process, so that a test can look at what it leaves behind."""

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from openenv_lite.server.uvicorn_socket import StraightWebSocket

__all__ = ["Served", "serving"]


class Served:
    """A running server: its address, what it logged as an error, and the tasks left at its end."""

    def __init__(self, app: Any, **options: Any) -> None:
        self.app = app
        self.errors: list[str] = []
        self.tasks_left: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = self._listener.getsockname()[1]
        settings = {"ws": StraightWebSocket, "ws_max_size": 64 * 2**20, "log_config": None}
        self.uvicorn = uvicorn.Server(uvicorn.Config(app, **{**settings, **options}))
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        with self._listener:
            await self.uvicorn.serve(sockets=[self._listener])
        for _ in range(200):
            left = asyncio.all_tasks() - {asyncio.current_task()}
            if not left:
                return
            await asyncio.sleep(0.01)
        self.tasks_left = [repr(task) for task in left]

    def start(self) -> None:
        """Return once it listens."""
        self._thread.start()
        started = threading.Event()
        while not self.uvicorn.started and not started.wait(0.005):
            assert self._thread.is_alive(), "the server did not start"

    def stop(self, patience_s: float = 20) -> None:
        """As a SIGTERM does."""
        self.uvicorn.should_exit = True
        self._thread.join(patience_s)
        assert not self._thread.is_alive(), f"the server does not stop: {self.tasks_left}"

    @property
    def http(self) -> str:
        """Where HTTP is spoken."""
        return f"http://127.0.0.1:{self.port}"

    def ws(self, path: str = "/ws") -> str:
        """Where a WebSocket is."""
        return f"ws://127.0.0.1:{self.port}{path}"

    @property
    def statistics(self) -> Any:
        """Of the app's pool."""
        return self.app.state.server.statistics()


@contextmanager
def serving(app: Any, **options: Any) -> Iterator[Served]:
    """Serve; at the end nothing may have gone wrong and nothing may be left."""
    server = Served(app, **options)
    watch = _Watch(server.errors)
    logging.getLogger("uvicorn.error").addHandler(watch)
    logging.getLogger("asyncio").addHandler(watch)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        logging.getLogger("uvicorn.error").removeHandler(watch)
        logging.getLogger("asyncio").removeHandler(watch)
    assert server.errors == []
    assert server.tasks_left == []
    assert server.statistics.active == 0


class _Watch(logging.Handler):
    """Keeps what tells of an exception that left the app, or was never looked at."""

    def __init__(self, found: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "asyncio" or "Exception in ASGI" in record.getMessage():
            self._found.append(self.format(record))
