"""Between the `mcp` package's types and ours, changing nothing of what they say."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mcp_types import CallToolResult
from mcp_types import Tool as Declared

from openenv_lite.content import ToolResult
from openenv_lite.tools import Tool

__all__ = ["Call", "result_of", "tool_of"]

Call = Callable[[str, Mapping[str, Any]], Awaitable[CallToolResult]]

_OF_THE_WIRE = "io.modelcontextprotocol/"
"""Keys of a result's `_meta` that speak of the connection it came over, which is not ours."""


def tool_of(declared: Declared, call: Call) -> Tool:
    """A tool of ours that is carried out by `call`; the server checks the arguments."""

    async def function(**arguments: Any) -> ToolResult:
        return result_of(await call(declared.name, arguments))

    shown = _plain(declared)
    return Tool(
        function,
        name=declared.name,
        title=shown.get("title"),
        description=shown.get("description", ""),
        annotations=shown.get("annotations"),
        icons=shown.get("icons"),
        input_schema=shown["inputSchema"],
        output_schema=shown.get("outputSchema"),
        meta=shown.get("_meta"),
        validate=False,
    )


def result_of(result: CallToolResult) -> ToolResult:
    """The same content blocks, structured content, mark of failure and meta."""
    shown = _plain(result)
    meta = {k: v for k, v in shown.get("_meta", {}).items() if not k.startswith(_OF_THE_WIRE)}
    return ToolResult(
        content=shown["content"] or None,
        structured_content=shown.get("structuredContent"),
        is_error=shown.get("isError", False),
        meta=meta or None,
    )


def _plain(model: Declared | CallToolResult) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)
