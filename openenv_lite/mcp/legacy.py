"""OpenEnv's own dialect of MCP: method names, and tools as its server dumps them."""

from typing import Any

from openenv_lite.types import ToolSpec

__all__ = ["CALL_TOOL", "CLOSE_SESSION", "CREATE_SESSION", "LIST_TOOLS", "tool_dump"]

LIST_TOOLS = "tools/list"
CALL_TOOL = "tools/call"
CREATE_SESSION = "openenv/session/create"
CLOSE_SESSION = "openenv/session/close"


def tool_dump(spec: ToolSpec) -> dict[str, Any]:
    """A tool in camelCase, with null for what it does not declare."""
    return {
        "name": spec.name,
        "title": None,
        "description": spec.description,
        "inputSchema": spec.input_schema,
        "outputSchema": None,
        "icons": None,
        "annotations": None,
        "meta": None,
        "execution": None,
    }
