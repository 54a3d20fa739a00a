"""The echo tool on the server of the `mcp` package."""

import contextlib
from typing import Any

from mcp.client import Client
from mcp.server.mcpserver import MCPServer

__all__ = ["caller", "session_app", "stateless_app"]


def echo_server() -> MCPServer[Any]:
    # Its own level, INFO, would write a line for some calls.
    server = MCPServer("echo", log_level="WARNING")

    @server.tool()
    def echo(message: str) -> str:
        return message

    return server


def caller(manner: str) -> contextlib.AbstractAsyncContextManager[Any]:
    """The `server` itself, or its in-memory client in a mode."""
    server = echo_server()
    return contextlib.nullcontext(server) if manner == "server" else Client(server, mode=manner)


stateless_app = echo_server().streamable_http_app(stateless_http=True, json_response=True)
session_app = echo_server().streamable_http_app(json_response=True)
