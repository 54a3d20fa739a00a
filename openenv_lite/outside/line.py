"""One connection to an outside server, owned by a task of its own.

The `mcp` client must be entered and left in the same task, while calls come from any. So a task
enters it, waits until somebody wants it ended or the server is lost, and leaves it again. The one
cancel scope around all of it carries whatever limit holds at the time.
"""

import asyncio
import math
from collections.abc import Mapping
from typing import Any

import anyio
from mcp import MCPError
from mcp.client import Client
from mcp_types import CONNECTION_CLOSED, CallToolResult
from mcp_types import Tool as Declared

from openenv_lite.errors import ConnectionFailedError
from openenv_lite.outside.transports import Way

__all__ = ["Line"]

FAREWELL_S = 5.0
"""Time to take leave of a server over HTTP; a program has the `mcp` package's own limits."""
MOST_PAGES = 1000
"""Pages of a list of tools; a server that gives more is taken to give them without end."""


class Line:
    """One connection, begun when it is constructed on the event loop.

    Args:
        way: How to reach the server.
        timeout_s: How long the server may take to start and to list its tools.

    Attributes:
        name: What errors call the server; once connected, what it calls itself too.
        tools: All that it listed.
        failure: Why it ended, in words for the operator.
    """

    def __init__(self, way: Way, timeout_s: float) -> None:
        self.name = way.label
        self.tools: list[Declared] = []
        self.failure = ""
        self._way = way
        self._timeout_s = timeout_s
        self._scope = anyio.CancelScope()
        self._client: Client | None = None
        self._settled = asyncio.Event()
        self._farewell = asyncio.Event()
        self._task = asyncio.create_task(self._own(), name=f"openenv-outside-{way.label}")

    @property
    def is_lost(self) -> bool:
        """Whether no further call can be made."""
        return self._scope.cancel_called or self._task.done()

    async def started(self) -> None:
        """Wait until calls can be made.

        Raises:
            ConnectionFailedError: It could not be started; says why, to the operator.
        """
        await self._settled.wait()
        if self._client is None:
            raise ConnectionFailedError(
                f"Outside server {self.name!r} could not be connected: {self.failure}. Its own "
                "complaints, if any, are on stderr. Check the command or URL by hand."
            )

    async def call(self, name: str, arguments: Mapping[str, Any]) -> CallToolResult:
        """Call a tool; raises whatever the `mcp` client does."""
        assert self._client is not None
        try:
            return await self._client.call_tool(name, dict(arguments))
        except MCPError as error:
            if error.code == CONNECTION_CLOSED:
                self._lose()  # over HTTP this may be the first that is heard of it
            raise

    async def ended(self) -> None:
        """Wait until nothing of it is left."""
        await asyncio.wait([self._task])

    async def stop(self) -> None:
        """Take leave of the server and wait; cancelled, it goes on by itself."""
        self._farewell.set()
        if not self._settled.is_set():
            self._scope.cancel()
        await self.ended()

    async def _own(self) -> None:
        try:
            with self._scope:
                await self._live()
            self.failure = self.failure or f"no answer within {self._timeout_s:g} s"
        except Exception as error:  # noqa: BLE001  whatever broke, the next call may begin anew
            self.failure = _told(error)
        finally:
            self._settled.set()

    def _lose(self) -> None:
        self.failure = "it ended"
        self._scope.cancel()

    async def _live(self) -> None:
        self._grant(self._timeout_s)
        async with Client(self._way.transport(self._lose), cache=None) as client:
            self.tools = await _every_tool(client)
            if client.server_info is not None:
                self.name = f"{client.server_info.name[:100]} ({self._way.label})"
            self._client = client
            self._settled.set()
            self._grant(math.inf)
            await self._farewell.wait()
            self._grant(FAREWELL_S)

    def _grant(self, seconds: float) -> None:
        self._scope.deadline = anyio.current_time() + seconds


async def _every_tool(client: Client) -> list[Declared]:
    """All pages; the client also learns from them what to check and which headers to send."""
    tools: list[Declared] = []
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if cursor is None:
            return tools
    raise ValueError(f"its list of tools has more than {MOST_PAGES} pages")


def _told(error: BaseException) -> str:
    """What the first error of a group says."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
