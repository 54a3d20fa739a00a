"""What can be asked of a leased environment by its agent; by its trainer see `trainer_side`."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from time import perf_counter
from typing import Any, Literal, TypeVar

from openenv_lite.blueprint import Blueprint
from openenv_lite.content import Outcome
from openenv_lite.context import IN_PROGRESS, NOBODY, SILENT, Channel, Context, InputRequired
from openenv_lite.environment import MCPEnvironment
from openenv_lite.errors import ToolsUnsupportedError, UnknownToolError
from openenv_lite.executor import SLOW_CALL_S, LoopExecutor
from openenv_lite.protocol import CALL_TOOL, LIST_TOOLS, advance
from openenv_lite.resources import Resource
from openenv_lite.results import outcome_of_step
from openenv_lite.session.trainer_side import TrainerSide
from openenv_lite.tools import Tool
from openenv_lite.types import CallToolAction, ServerMode, ToolSpec

__all__ = ["Catalogue", "Session"]

T = TypeVar("T")

Catalogue = dict[str, list[dict[str, Any]]]
"""What an environment offers agents, as MCP declares it: tools, prompts, resources, templates."""


class Session(TrainerSide):
    """One client's lease on one environment.

    The agent's calls, which are defined here, know no reward.
    """

    def __init__(self, session_id: str, blueprint: Blueprint, mode: ServerMode) -> None:
        super().__init__(session_id, blueprint, mode)
        # A trainer's step may do more than call the tool; in production there is no trainer.
        self._acts = mode is ServerMode.SIMULATION and blueprint.has_own_step
        self._calls_inline = isinstance(self._executor, LoopExecutor) and not self._acts

    def list_tools(self) -> list[ToolSpec]:
        """The tools an agent may call in this session's mode.

        Raises:
            ToolsUnsupportedError: The environment is no `MCPEnvironment`.
        """
        advance(LIST_TOOLS, self.phase)
        return self._with_tools().list_tools()

    def catalogue(self) -> Catalogue:
        """What MCP tells of tools, prompts, resources and templates, under their keys there."""
        environment = self._environment
        if not isinstance(environment, MCPEnvironment):
            return {"tools": [], "prompts": [], "resources": [], "resourceTemplates": []}
        tools = environment.tools.tools(self.mode)
        return {
            "tools": [tool.declaration for tool in tools],
            "prompts": environment.prompts.prompts(),
            "resources": environment.resources.resources(),
            "resourceTemplates": environment.resources.templates(),
        }

    def tool(self, name: str) -> Tool:
        """The tool of this name in the session's mode.

        Raises:
            UnknownToolError: There is none.
        """
        if not isinstance(self._environment, MCPEnvironment):
            advance(LIST_TOOLS, self.phase)
            raise UnknownToolError(f"Unknown tool: {name[:100]!r}")
        return self._environment.tools.get(name, self.mode)

    def resource(self, uri: str) -> Resource:
        """The resource behind a URI.

        Raises:
            UnknownResourceError: There is none.
            ToolsUnsupportedError: The environment is no `MCPEnvironment`.
        """
        return self._with_tools().resources.find(uri)[0]

    async def call_tool(
        self, name: str, arguments: Mapping[str, Any], channel: Channel = SILENT
    ) -> Outcome:
        """Call one tool.

        Raises:
            UnknownToolError, InvalidArgumentsError: Nothing of the author's ran.
            ToolFailedError: The tool raised.
        """
        advance(LIST_TOOLS, self.phase)
        self._with_tools()
        outcome = self.use(self.tool(name), arguments, channel)
        return outcome if isinstance(outcome, Outcome) else await outcome

    def use(
        self, tool: Tool, arguments: Mapping[str, Any], channel: Channel
    ) -> Outcome | Coroutine[Any, Any, Outcome]:
        """Call one tool: at once if nothing need be awaited, else by the coroutine.

        Args:
            tool: One of this session's.
            arguments: Of the call.
            channel: To whoever called.
        """
        if not self._calls_inline or tool.is_async or self._turn.locked():
            return self._use(tool.name, arguments, channel)
        context = self._begin_call(channel)
        began = perf_counter()
        outcome: Outcome = self._environment.use(tool, arguments, context)
        elapsed = perf_counter() - began
        if elapsed > SLOW_CALL_S:
            self.report_slow(tool.name, elapsed)
        return outcome

    async def _use(self, name: str, arguments: Mapping[str, Any], channel: Channel) -> Outcome:
        async with self._turn:
            self._begin_call(channel)
            try:
                if self._acts:
                    return await self._act(name, arguments)
                return await self._with_tools().invoke_tool(name, arguments)
            except InputRequired:
                self._take_back()
                raise
            finally:
                IN_PROGRESS.set(NOBODY)

    def _take_back(self) -> None:
        """A call that only asked was no action yet; it counts when it comes again."""
        self.steps -= 1
        self._counted.step_count -= 1

    def _begin_call(self, channel: Channel) -> Context:
        """Count the call, and note who listens to it."""
        self.phase = advance(CALL_TOOL, self.phase)
        context = Context(channel)
        IN_PROGRESS.set(context)
        self._count()
        return context

    async def _act(self, name: str, arguments: Mapping[str, Any]) -> Outcome:
        """Call a tool as the action it is to the trainer; the model learns of no reward."""
        action = CallToolAction(tool_name=name, arguments=dict(arguments))
        observation = await self._perform(self._blueprint.step, action)
        self._conclude(observation, self.phase)
        return outcome_of_step(observation)

    async def read_resource(self, uri: str, channel: Channel) -> list[dict[str, Any]]:
        """The contents behind a URI, as MCP has them.

        Raises:
            UnknownResourceError: There is none.
            ExecutionError: The author's code raised.
        """
        return await self._offered(channel, lambda each: each.read_resource(uri))

    async def get_prompt(
        self, name: str, arguments: Mapping[str, str], channel: Channel
    ) -> dict[str, Any]:
        """A prompt filled in, as MCP has it.

        Raises:
            UnknownPromptError, InvalidArgumentsError: Nothing of the author's ran.
            ExecutionError: The author's code raised.
        """
        return await self._offered(channel, lambda each: each.get_prompt(name, arguments))

    async def complete(
        self,
        kind: Literal["prompt", "resource"],
        name: str,
        argument: str,
        text: str,
        given: Mapping[str, str],
    ) -> list[str]:
        """What an argument of a prompt or template may be completed to."""
        return await self._offered(
            SILENT, lambda each: each.complete(kind, name, argument, text, given)
        )

    async def _offered(self, channel: Channel, use: Callable[[MCPEnvironment], Awaitable[T]]) -> T:
        async with self._turn:
            advance(LIST_TOOLS, self.phase)
            environment = self._with_tools()
            IN_PROGRESS.set(Context(channel))
            try:
                return await use(environment)
            finally:
                IN_PROGRESS.set(NOBODY)

    def _with_tools(self) -> MCPEnvironment:
        if not isinstance(self._environment, MCPEnvironment):
            raise ToolsUnsupportedError("Environment does not support MCP")
        return self._environment
