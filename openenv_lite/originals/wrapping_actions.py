"""A class of ours around a class of OpenEnv's that carries tool actions out in its own `step`.

It is no `MCPEnvironment` and has no server object: what `openenv import` writes is of this kind.
"""

import functools
import logging
from collections.abc import Callable
from typing import Any

from openenv_lite.content import ToolResult
from openenv_lite.environment import MCPEnvironment
from openenv_lite.originals.words import translated
from openenv_lite.originals.wrapping import Wrapped, calling, is_overridden, members
from openenv_lite.results import outcome_of_step
from openenv_lite.signature import is_async
from openenv_lite.tools import Tool
from openenv_lite.types import CallToolAction, ListToolsAction, ListToolsObservation, ToolSpec

__all__ = ["wrapped_with_actions"]

log = logging.getLogger(__name__)


class _Wrapped(Wrapped, MCPEnvironment):
    """Agents are shown the tools that it lists before the first reset, as OpenEnv asks for them.

    Attributes:
        act: Its step, whichever of the two it has.
    """

    act: Callable[..., Any]

    async def connect(self) -> None:
        """Ask it for its tools, once it is built."""
        await super().connect()
        try:
            seen = await self._acted(ListToolsAction())
        except Exception:
            log.info("%s lists no tools before a reset", type(self).__name__, exc_info=True)
            return
        for spec in seen.tools if isinstance(seen, ListToolsObservation) else []:
            self.tools.add(self._tool(spec))

    async def _acted(self, action: Any) -> Any:
        if is_async(self.act):
            return await self.act(action)
        return await self.run_function(functools.partial(self.act, action))

    def _tool(self, spec: ToolSpec) -> Tool:
        async def call(**arguments: Any) -> ToolResult:
            action = CallToolAction(tool_name=spec.name, arguments=arguments)
            said = outcome_of_step(await self._acted(action))
            return ToolResult(said.content, said.structured, said.is_error, said.meta)

        return Tool(
            call,
            name=spec.name,
            description=spec.description,
            input_schema=spec.input_schema,
            validate=False,
        )


def wrapped_with_actions(factory: Callable[[], Any], kind: type, base: type) -> type:
    """As `wrapping.wrapped`, where the actions are OpenEnv's for tools."""
    name = "step_async" if is_overridden(kind, base, "step_async") else "step"
    step = translated(calling(kind, name))
    return type(
        kind.__name__, (_Wrapped,), {**members(factory, kind, base), name: step, "act": step}
    )
