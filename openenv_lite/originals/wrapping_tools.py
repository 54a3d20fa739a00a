"""A class of ours around a class of OpenEnv's whose actions are tools.

A tool's function is called directly. An author's own `step_async` is called with what it expects;
where it hands a tool call on to its base class, that finds a client of ours in place of FastMCP's.
"""

import asyncio
import functools
import sys
from collections.abc import Callable
from typing import Any

from openenv_lite import codec
from openenv_lite.environment import MCPEnvironment
from openenv_lite.foreign_tools import tools_of
from openenv_lite.originals.direct_client import DirectClient, ToolServer
from openenv_lite.originals.wrapping import Wrapped, calling, is_overridden, members
from openenv_lite.tools import Tool
from openenv_lite.types import (
    CallToolAction,
    CallToolObservation,
    ListToolsAction,
    ListToolsObservation,
)

__all__ = ["wrapped_with_tools"]

_WORDS = "openenv.core.env_server.mcp_types"
_OURS: dict[str, type] = {
    "CallToolObservation": CallToolObservation,
    "ListToolsObservation": ListToolsObservation,
}


class _Wrapped(Wrapped, MCPEnvironment):
    def __init__(self) -> None:
        theirs = self.theirs = self.run(self.make)
        theirs._mode = self.server_mode.value  # OpenEnv means it to be set, and never does
        server = ToolServer(theirs.mcp_server, theirs.mcp_client)
        self.client = theirs.mcp_client = DirectClient(self, theirs.mcp_client)
        for tool in [*tools_of(server), *_tools_of_a_mode(theirs)]:
            self.tools.add(tool)

    def _step_impl(self, action: Any, **kwargs: Any) -> Any:
        return self.theirs._step_impl(action, **{"timeout_s": None, **kwargs})


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
    if is_overridden(kind, base, "step_async"):
        namespace["step_async"] = _stepping(kind)
    return type(kind.__name__, (_Wrapped,), namespace)


def _stepping(kind: type) -> Callable[..., Any]:
    """The author's `step_async`, with our words for tools translated into theirs and back."""
    call = calling(kind, "step_async")

    @functools.wraps(call)
    async def step_async(self: Any, action: Any, *args: Any, **kwargs: Any) -> Any:
        self.client.home = asyncio.get_running_loop()
        return _ours(await call(self, _theirs(action), *args, **kwargs))

    return step_async


def _theirs(action: Any) -> Any:
    words: Any = sys.modules[_WORDS]
    if isinstance(action, CallToolAction):
        return words.CallToolAction(**codec.to_builtins(action))
    if isinstance(action, ListToolsAction):
        return words.ListToolsAction(metadata=action.metadata)
    return action


def _ours(observation: Any) -> Any:
    """Only their own two types; what an author derived from them has fields we do not know."""
    kind = _OURS.get(type(observation).__name__)
    if kind is None or type(observation).__module__ != _WORDS:
        return observation
    return codec.convert(codec.to_builtins(observation), kind)
