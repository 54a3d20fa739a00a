"""The ASGI server, set up for long sessions."""

import gc
import socket
from typing import Any

import uvicorn

from openenv_lite.loading import ASGIApp, server_of
from openenv_lite.server.uvicorn_http import StraightHttp
from openenv_lite.server.uvicorn_socket import StraightWebSocket

__all__ = ["Server", "run"]

_SETTINGS: dict[str, Any] = {
    "http": StraightHttp,
    "ws": StraightWebSocket,
    "ws_per_message_deflate": False,
    # Above the app's own limit in characters, so that a long message meets its typed error.
    "ws_max_size": 16 * 2**20,
    "ws_ping_interval": 20.0,
    # A client without a thread answers pings only while it is called, and a model may think long.
    "ws_ping_timeout": 900.0,
    "timeout_graceful_shutdown": 10,
    "access_log": False,
    "log_config": None,
}


_SELDOM = 50_000, 50, 10
"""The garbage collector's thresholds; by default they are 700, 10, 10."""


class Server(uvicorn.Server):
    """Lets go of MCP clients that only listen before it waits for requests to end.

    Args:
        app: What is served.
        log_level: Of uvicorn's own log.
        around: What is served in its stead and passes on to it.
    """

    def __init__(self, app: ASGIApp, log_level: str, around: ASGIApp | None = None) -> None:
        super().__init__(uvicorn.Config(around or app, log_level=log_level, **_SETTINGS))
        self._env_server = server_of(app)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve.

        What exists by now stays, and sessions live long: a garbage collector that looks at all of
        it as often as it does by default takes up to a third of the server's time.
        """
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_SELDOM)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop gracefully."""
        if self._env_server is not None:
            self._env_server.let_go()
        await super().shutdown(sockets)


def run(app: ASGIApp, log_level: str, sockets: list[socket.socket]) -> None:
    """Serve by this process alone, until it is told to end."""
    Server(app, log_level).run(sockets=sockets)
