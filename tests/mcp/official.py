"""The official Python clients of MCP behind one face, and the program around them."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Literal

import fastmcp
import mcp
import mcp_types
from pydantic import FileUrl

from tests.server.serving import Served

__all__ = ["NEGOTIATED", "Action", "Host", "Talk", "talking"]

Action = Literal["accept", "decline", "cancel"]

NEGOTIATED = {
    "legacy": "2025-11-25",
    "auto": "2026-07-28",
    "2026-07-28": "2026-07-28",
    "fastmcp": "2026-07-28",
    "fastmcp legacy": "2025-11-25",
}
"""The clients by name, and the revision that each agrees on with us."""


class Host:
    """The program around a client: answers for its person and its model, and notes what it hears.

    Attributes:
        heard: Data of log messages.
        progress: Progress and total, as told.
        asked: What was asked, by method.
    """

    def __init__(self, action: Action = "accept") -> None:
        self.heard: list[Any] = []
        self.progress: list[tuple[float, float | None]] = []
        self.asked: list[str] = []
        self._action = action

    def elicit(self, params: Any) -> mcp_types.ElicitResult:
        self.asked.append(f"elicitation/create {params.message}")
        if self._action != "accept":
            return mcp_types.ElicitResult(action=self._action)
        fields: Any = {
            name: True if each["type"] == "boolean" else f"my {name}"
            for name, each in params.requested_schema["properties"].items()
        }
        return mcp_types.ElicitResult(action="accept", content=fields)

    def sample(self, params: Any) -> mcp_types.CreateMessageResult:
        (question,) = params.messages
        self.asked.append(f"sampling/createMessage {question.content.text}")
        answer = mcp_types.TextContent(type="text", text="Paris")
        return mcp_types.CreateMessageResult(role="assistant", content=answer, model="a model")

    def roots(self) -> list[mcp_types.Root]:
        self.asked.append("roots/list")
        return [mcp_types.Root(uri=FileUrl("file:///home/ada"), name="home")]

    async def note_log(self, params: Any) -> None:
        self.heard.append(params.data)

    async def note_progress(
        self, progress: float, total: float | None, message: str | None
    ) -> None:
        self.progress.append((progress, total))


def sdk(url: str, mode: str, host: Host | None) -> Any:
    """The client of the official SDK; without a host it can do nothing for a server."""
    if host is None:
        return mcp.Client(url, mode=mode)
    at_home: Host = host

    async def elicit(context: Any, params: Any) -> Any:
        return at_home.elicit(params)

    async def sample(context: Any, params: Any) -> Any:
        return at_home.sample(params)

    async def roots(context: Any) -> Any:
        return mcp_types.ListRootsResult(roots=at_home.roots())

    return mcp.Client(
        url,
        mode=mode,
        elicitation_callback=elicit,
        sampling_callback=sample,
        list_roots_callback=roots,
        logging_callback=host.note_log,
        log_level="info",
    )


def fast(url: str, mode: str, host: Host | None) -> Any:
    """The client of FastMCP."""
    if host is None:
        return fastmcp.Client(url, mode=mode)
    at_home: Host = host

    async def elicit(message: str, kind: Any, params: Any, context: Any) -> Any:
        return at_home.elicit(params)

    async def sample(messages: Any, params: Any, context: Any) -> Any:
        return at_home.sample(params)

    async def roots(context: Any) -> Any:
        return at_home.roots()

    return fastmcp.Client(
        url,
        mode=mode,
        elicitation_handler=elicit,
        sampling_handler=sample,
        roots=roots,
        log_handler=host.note_log,
    )


class Talk:
    """What a test does with either client."""

    def __init__(self, client: Any, host: Host | None, is_fast: bool) -> None:
        self.client = client
        self._host = host
        self._is_fast = is_fast

    async def tools(self) -> list[str]:
        found = await self.client.list_tools()
        return [tool.name for tool in (found if self._is_fast else found.tools)]

    async def call(self, name: str, **arguments: Any) -> Any:
        note = self._host.note_progress if self._host else None
        given: dict[str, Any] = {"progress_callback": note}
        if self._is_fast:
            given = {"progress_handler": note, "raise_on_error": False}
        return await self.client.call_tool(name, arguments, **given)

    async def text(self, name: str, **arguments: Any) -> str:
        result = await self.call(name, **arguments)
        assert not result.is_error, result
        return str(result.content[0].text)

    async def read(self, uri: str) -> Any:
        found = await self.client.read_resource(uri)
        (contents,) = found if self._is_fast else found.contents
        return contents


@contextlib.asynccontextmanager
async def talking(kind: str, server: Served, host: Host | None = None) -> AsyncIterator[Talk]:
    is_fast = kind.startswith("fastmcp")
    mode = {"fastmcp": "auto", "fastmcp legacy": "legacy"}.get(kind, kind)
    client = (fast if is_fast else sdk)(f"{server.http}/mcp", mode, host)
    async with client:
        yield Talk(client, host, is_fast)
