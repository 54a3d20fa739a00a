"""The echo tool on FastMCP's server."""

import contextlib
from typing import Any

from fastmcp import Client, FastMCP

__all__ = ["caller", "session_app", "stateless_app"]


def echo_server() -> FastMCP:
    server = FastMCP("echo")

    @server.tool
    def echo(message: str) -> str:
        return message

    return server


def caller(manner: str) -> contextlib.AbstractAsyncContextManager[Any]:
    """The `server` itself, or its in-memory client in a mode."""
    server = echo_server()
    return contextlib.nullcontext(server) if manner == "server" else Client(server, mode=manner)


stateless_app = echo_server().http_app(stateless_http=True, json_response=True)
session_app = echo_server().http_app(json_response=True)
