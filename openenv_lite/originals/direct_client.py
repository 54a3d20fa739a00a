"""In the place of FastMCP's client to a server in the same process: tools called directly.

An author's `step_async` hands a tool call on to its base class, which asks the client. The round
through FastMCP's session takes over a millisecond; here it is a call.
"""

import asyncio
import sys
from typing import Any

from openenv_lite.content import Outcome
from openenv_lite.environment import MCPEnvironment
from openenv_lite.errors import RequestError, ToolFailedError
from openenv_lite.types import ToolSpec

__all__ = ["DirectClient", "ToolServer"]


class DirectClient:
    """What OpenEnv's `MCPEnvironment` asks of its `mcp_client`, and what authors do.

    Args:
        environment: Has the tools, and says where they run.
        original: FastMCP's client, for all else, and for calls from other event loops than the
            session's, which have nowhere to run but there.
    """

    def __init__(self, environment: MCPEnvironment, original: Any) -> None:
        self._environment = environment
        self._original = original
        self.home: asyncio.AbstractEventLoop | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)

    async def __aenter__(self) -> "DirectClient":
        if not self._is_at_home():
            await self._original.__aenter__()
        return self

    async def __aexit__(self, *raised: Any) -> None:
        if not self._is_at_home():
            await self._original.__aexit__(*raised)

    def _is_at_home(self) -> bool:
        return asyncio.get_running_loop() is self.home

    async def list_tools(self) -> Any:
        """The tools that exist in the session's mode."""
        if not self._is_at_home():
            return await self._original.list_tools()
        return [_listed(each) for each in self._environment.list_tools()]

    async def call_tool(self, name: str, arguments: Any = None, **options: Any) -> Any:
        """Call one tool; FastMCP's result, or its `ToolError`."""
        if not self._is_at_home():
            return await self._original.call_tool(name, arguments, **options)
        try:
            outcome = await self._environment.invoke_tool(name, arguments or {})
        except (RequestError, ToolFailedError) as error:
            raise _fastmcp("exceptions").ToolError(error.message) from error
        return _result(outcome)


class ToolServer:
    """FastMCP's server, as `foreign_tools` asks it; a tool that wants its context gets a session.

    Args:
        server: Lists the tools.
        client: FastMCP's, which opens the session.
    """

    def __init__(self, server: Any, client: Any) -> None:
        self._server = server
        self._client = client

    async def list_tools(self) -> Any:
        """As FastMCP has them, with their functions."""
        return await self._server.list_tools()

    async def call_tool(self, name: str, arguments: Any) -> Any:
        """FastMCP's result, or why there is none."""
        try:
            async with self._client:
                return await self._client.call_tool(name, arguments)
        except _fastmcp("exceptions").ToolError as error:
            raise ToolFailedError(str(error)) from error


def _fastmcp(module: str) -> Any:
    """Imported long ago, by whoever made the client."""
    return sys.modules[f"fastmcp.{module}"]


def _listed(tool: ToolSpec) -> Any:
    shown = {
        "name": tool.name,
        "description": tool.description,
        "inputSchema": tool.input_schema,
    }
    return sys.modules["mcp.types"].Tool.model_validate(shown)


def _result(outcome: Outcome) -> Any:
    blocks = {"content": outcome.content}
    return _fastmcp("client.client").CallToolResult(
        content=sys.modules["mcp.types"].CallToolResult.model_validate(blocks).content,
        structured_content=outcome.structured,
        meta=outcome.meta,
        data=outcome.data,
        is_error=outcome.is_error,
    )
