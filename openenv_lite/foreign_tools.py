"""Tools declared on somebody else's server object: FastMCP's, or the `mcp` package's.

Both offer `async list_tools()`; the function behind a tool is called directly where it needs
nothing injected, else through the tool's or server's own call.
"""

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from openenv_lite.content import ToolResult
from openenv_lite.errors import ConfigurationError
from openenv_lite.tools import Tool

__all__ = ["tools_of"]


def tools_of(server: Any) -> list[Tool]:
    """The tools of a FastMCP or `mcp` server object, as ours.

    Raises:
        ConfigurationError: The object is neither.
    """
    manager = getattr(server, "_tool_manager", None)  # the `mcp` package lists functions only there
    if manager is not None and hasattr(manager, "list_tools"):
        return [_tool(server, declared) for declared in manager.list_tools()]
    if not hasattr(server, "list_tools"):
        raise ConfigurationError(
            f"MCPEnvironment takes a FastMCP or mcp server object, not {type(server).__name__}"
        )
    return [_tool(server, declared) for declared in _run(server.list_tools())]


def _run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run it to its end, also where a loop runs already: listing waits for nothing outside."""
    outcome: list[Any] = []
    thread = threading.Thread(target=lambda: outcome.append(asyncio.run(coroutine)))
    thread.start()
    thread.join()
    if not outcome:
        raise ConfigurationError("The MCP server object could not list its tools")
    return outcome[0]


def _tool(server: Any, declared: Any) -> Tool:
    own: Callable[..., Any] | None = getattr(declared, "fn", None)
    if own is not None and _needs_their_call(own):
        own = None
    return Tool(
        own or _through(server, declared.name),
        name=declared.name,
        title=getattr(declared, "title", None),
        description=declared.description or "",
        annotations=_dumped(getattr(declared, "annotations", None)),
        icons=_dumped(getattr(declared, "icons", None)),
        input_schema=declared.parameters,
        # Theirs describes what their call gives; a direct call is ours to describe.
        output_schema=None if own else getattr(declared, "output_schema", None),
        validate=False,
    )


def _through(server: Any, name: str) -> Callable[..., Any]:
    """A function that goes through their own call."""

    async def call(**arguments: Any) -> Any:
        return _result(await server.call_tool(name, arguments))

    return call


def _needs_their_call(function: Callable[..., Any]) -> bool:
    """Whether it takes a context of theirs, or a default that only their validation resolves."""
    parameters = inspect.signature(function).parameters.values()
    return any(
        "Context" in getattr(each.annotation, "__name__", str(each.annotation))
        or hasattr(each.default, "get_default")
        for each in parameters
    )


def _result(result: Any) -> ToolResult:
    """What a foreign call gave, its blocks as they are."""
    return ToolResult(
        content=list(result.content),
        structured_content=result.structured_content,
        is_error=bool(getattr(result, "is_error", False)),
        meta=getattr(result, "meta", None),
    )


def _dumped(shown: Any) -> Any:
    """A Pydantic model of theirs, or a list of some, as plain values."""
    if isinstance(shown, list):
        return [_dumped(each) for each in shown]
    if hasattr(shown, "model_dump"):
        return shown.model_dump(mode="json", by_alias=True, exclude_none=True)
    return shown
