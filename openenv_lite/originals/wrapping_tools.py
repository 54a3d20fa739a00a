"""A class of ours around a class of OpenEnv's whose actions are tools.

A tool's function is called directly. An author's own `step_async` is called with what it expects;
where it hands a tool call on to its base class, that finds a client of ours in place of FastMCP's.
"""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from openenv_lite.content import Outcome
from openenv_lite.environment import MCPEnvironment
from openenv_lite.foreign_tools import tools_of
from openenv_lite.originals.direct_client import DirectClient, ToolServer
from openenv_lite.originals.words import translated
from openenv_lite.originals.wrapping import Wrapped, calling, is_overridden, members
from openenv_lite.signature import is_async
from openenv_lite.tools import Tool
from openenv_lite.types import ToolSpec

__all__ = ["wrapped_with_tools"]


class _Wrapped(Wrapped, MCPEnvironment):
    def __init__(self) -> None:
        super().__init__()
        theirs = self.theirs
        theirs._mode = self.server_mode.value  # OpenEnv means it to be set, and never does
        self._server = ToolServer(theirs.mcp_server, theirs.mcp_client)
        self.client = theirs.mcp_client = DirectClient(self, theirs.mcp_client)
        self._declared: list[Any] = []
        self._from_author: set[str] = set()
        self._renew_tools()

    def _renew_tools(self) -> None:
        """Have the tools that the author has declared, and no others."""
        self._declared = self._declared_now()
        tools = [*tools_of(self._server), *_tools_of_a_mode(self.theirs)]
        names = {tool.name for tool in tools}
        for name in self._from_author - names:
            self.tools.remove(name)
        for tool in tools:
            self.tools.add(tool)
        self._from_author = names

    def _declared_now(self) -> list[Any]:
        """Objects that are others once a tool came or went: FastMCP's, and functions of a mode."""
        provider = getattr(self.theirs.mcp_server, "local_provider", None)
        listed = [] if provider is None else _at_once(provider.list_tools())
        variants = self.theirs._mode_tools.values()
        return [*listed, *(function for each in variants for function in each.values())]

    def catch_up(self) -> None:
        """See what the author's code changed of its tools; mostly nothing, which costs 2 µs."""
        if self._declared_now() != self._declared:
            self._renew_tools()

    async def invoke_tool(
        self, name: str, arguments: Mapping[str, Any], timeout_s: float | None = None
    ) -> Outcome:
        """See `MCPEnvironment`."""
        try:
            return await super().invoke_tool(name, arguments, timeout_s)
        finally:
            self.catch_up()

    def list_tools(self) -> list[ToolSpec]:
        """See `MCPEnvironment`."""
        self.catch_up()
        return super().list_tools()

    def _step_impl(self, action: Any, **kwargs: Any) -> Any:
        return self.theirs._step_impl(action, **{"timeout_s": None, **kwargs})


def _at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine gives that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    return []


def _tools_of_a_mode(theirs: Any) -> list[Tool]:
    """Those declared by `@self.tool(mode=...)`, which its server object does not know."""
    return [
        Tool(function, name=name, mode=mode)
        for name, variants in theirs._mode_tools.items()
        for mode, function in variants.items()
        if mode is not None
    ]


def wrapped_with_tools(factory: Callable[[], Any], kind: type, base: type) -> type:
    """As `wrapping.wrapped`, where `base` is OpenEnv's `MCPEnvironment`."""
    namespace = members(factory, kind, base)
    reset = "reset_async" if "reset_async" in namespace else "reset"
    namespace[reset] = _catching_up(namespace[reset])
    if is_overridden(kind, base, "step_async"):
        namespace["step_async"] = _stepping(kind)
    return type(kind.__name__, (_Wrapped,), namespace)


def _catching_up(reset: Callable[..., Any]) -> Callable[..., Any]:
    """The author's reset, after which there may be other tools."""

    @functools.wraps(reset)
    def plain(self: _Wrapped, *args: Any, **kwargs: Any) -> Any:
        seen = reset(self, *args, **kwargs)
        self.catch_up()
        return seen

    @functools.wraps(reset)
    async def awaiting(self: _Wrapped, *args: Any, **kwargs: Any) -> Any:
        seen = await reset(self, *args, **kwargs)
        self.catch_up()
        return seen

    return awaiting if is_async(reset) else plain


def _stepping(kind: type) -> Callable[..., Any]:
    """The author's `step_async`, with our words for tools translated into theirs and back."""
    call = translated(calling(kind, "step_async"))

    @functools.wraps(call)
    async def step_async(self: Any, action: Any, *args: Any, **kwargs: Any) -> Any:
        self.client.home = asyncio.get_running_loop()
        return await call(self, action, *args, **kwargs)

    return step_async
