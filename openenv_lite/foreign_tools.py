"""Tools declared on somebody else's server object: FastMCP's, or the `mcp` package's.

Both offer `async list_tools()`; the function behind a tool is called directly where it needs
nothing injected, else through the tool's or server's own call.
"""

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from openenv_lite.errors import ConfigurationError
from openenv_lite.tools import Tool

__all__ = ["tools_of"]


def tools_of(server: Any) -> list[Tool]:
    """The tools of a FastMCP or `mcp` server object, as ours.

    Raises:
        ConfigurationError: The object is neither, or a tool has a reserved name.
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
    return Tool(
        _function(server, declared),
        name=declared.name,
        description=declared.description or "",
        input_schema=declared.parameters,
    )


def _function(server: Any, declared: Any) -> Callable[..., Any]:
    function = getattr(declared, "fn", None)
    if function is not None and not _needs_their_call(function):
        return function  # type: ignore[no-any-return]

    async def call(**arguments: Any) -> Any:
        result = await server.call_tool(declared.name, arguments)
        return _plain(result)

    return call


def _needs_their_call(function: Callable[..., Any]) -> bool:
    """Whether it takes a context of theirs, or a default that only their validation resolves."""
    parameters = inspect.signature(function).parameters.values()
    return any(
        "Context" in getattr(each.annotation, "__name__", str(each.annotation))
        or hasattr(each.default, "get_default")
        for each in parameters
    )


def _plain(result: Any) -> Any:
    """The value a foreign call gave: its structured content, or else its first text."""
    structured = getattr(result, "structured_content", None)
    if isinstance(structured, dict):
        return structured.get("result", structured) if len(structured) == 1 else structured
    texts = [block.text for block in getattr(result, "content", []) if hasattr(block, "text")]
    return "\n".join(texts)
