"""What can be asked of a leased environment: by its trainer, and by its agent.

Calls are serial; each either happened or raised a typed error. Nothing here knows a transport.
"""

import functools
import os
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from time import perf_counter
from typing import Any, Literal, TypeVar

import msgspec

from openenv_lite import codec
from openenv_lite.blueprint import Blueprint
from openenv_lite.content import Outcome
from openenv_lite.context import IN_PROGRESS, NOBODY, SILENT, Channel, Context, InputRequired
from openenv_lite.environment import Environment, MCPEnvironment
from openenv_lite.errors import SessionClosedError, ToolsUnsupportedError, UnknownToolError
from openenv_lite.executor import SLOW_CALL_S, LoopExecutor
from openenv_lite.life import Life
from openenv_lite.protocol import (
    CALL_TOOL,
    CLOSED,
    DONE,
    FRESH,
    LIST_TOOLS,
    RESET,
    STATE,
    STEP,
    Phase,
    advance,
)
from openenv_lite.resources import Resource
from openenv_lite.results import READERS, outcome_of_step
from openenv_lite.tools import Tool
from openenv_lite.types import (
    CallToolAction,
    ServerMode,
    State,
    StepResult,
    ToolSpec,
)

__all__ = ["Catalogue", "Session"]

T = TypeVar("T")

_NO_OPTIONS: Mapping[str, Any] = {}

Catalogue = dict[str, list[dict[str, Any]]]
"""What an environment offers agents, as MCP declares it: tools, prompts, resources, templates."""


class _Beginning(msgspec.Struct, frozen=True):
    """What every reset may name, whatever the author's own takes."""

    seed: int | None = None
    episode_id: str | None = None


_UNTOLD = _Beginning()


class Session(Life):
    """One client's lease on one environment.

    The trainer's calls come first; the agent's, from `list_tools` on, know no reward.
    """

    def __init__(self, session_id: str, blueprint: Blueprint, mode: ServerMode) -> None:
        super().__init__(session_id, blueprint, mode)
        # A trainer's step may do more than call the tool; in production there is no trainer.
        self._acts = mode is ServerMode.SIMULATION and blueprint.has_own_step
        self._calls_inline = isinstance(self._executor, LoopExecutor) and not self._acts

    async def reset(self, options: Mapping[str, Any] = _NO_OPTIONS) -> StepResult[Any]:
        """Begin an episode; options the author's `reset` does not take are dropped.

        Raises:
            InvalidMessageError: An option does not fit its type.
            ExecutionError: The author's code raised; the episode is then not running.
        """
        if self._blueprint.inline:
            return self.reset_inline(options)
        async with self._turn:
            following = advance(RESET, self.phase)
            accepted = self._prepare_reset(options)
            observation = await self._perform(self._blueprint.reset, **accepted)
            return self._conclude(observation, following)

    def reset_inline(self, options: Mapping[str, Any] = _NO_OPTIONS) -> StepResult[Any]:
        """As `reset`, where `blueprint.inline` says that every call runs on the event loop."""
        following = advance(RESET, self.phase)
        accepted = self._prepare_reset(options)
        assert isinstance(self._executor, LoopExecutor)
        try:
            reset = self._blueprint.reset.of(self._environment)
            observation = self._executor.call(reset, **accepted)
        except BaseException as error:  # noqa: BLE001  raised again
            self._reraise("reset", error)
        return self._conclude(observation, following)

    def _prepare_reset(self, options: Mapping[str, Any]) -> dict[str, Any]:
        accepted = self._blueprint.reset.options(options)
        self._begin(codec.convert(dict(options), _Beginning) if options else _UNTOLD)
        self.phase = FRESH
        return accepted

    def _begin(self, beginning: "_Beginning") -> None:
        """Seed and count for the author, whose `reset` may want neither argument."""
        self._counted = State(episode_id=beginning.episode_id or _new_episode_id())
        if isinstance(self._environment, Environment):
            self._environment.begin(beginning.seed, self._counted)

    async def step(self, action: Any, options: Mapping[str, Any] = _NO_OPTIONS) -> StepResult[Any]:
        """Carry out one action.

        Raises:
            ResetRequiredError, EpisodeDoneError: The episode is not running; nothing ran.
            ExecutionError: The author's code raised.
        """
        if self._blueprint.inline:
            return self.step_inline(action, options)
        async with self._turn:
            event = self._blueprint.tool_events.get(type(action), STEP)
            following = advance(event, self.phase)
            accepted = self._blueprint.step.options(options) if options else _NO_OPTIONS
            if event is not LIST_TOOLS:
                self._count()
            observation = await self._perform(self._blueprint.step, action, **accepted)
            return self._conclude(observation, following)

    async def step_alone(self, action: Any, options: Mapping[str, Any]) -> StepResult[Any]:
        """An episode of one step, for callers without a session of their own."""
        if type(action) not in self._blueprint.tool_events:
            await self.reset()
        return await self.step(action, options)

    def step_inline(self, action: Any, options: Mapping[str, Any] = _NO_OPTIONS) -> StepResult[Any]:
        """As `step`, where `blueprint.inline` says that every call runs on the event loop.

        Nothing is awaited, so no other call can come between and no turn need be taken.
        """
        began = perf_counter()
        result = self.step_untimed(action, options)
        if perf_counter() - began > SLOW_CALL_S:
            self.report_slow("step", perf_counter() - began)
        return result

    def step_untimed(
        self, action: Any, options: Mapping[str, Any] = _NO_OPTIONS
    ) -> StepResult[Any]:
        """As `step_inline`, for callers who watch the time of many steps: see `report_slow`."""
        following = advance(STEP, self.phase)
        step = self._environment.step
        if options:
            step = functools.partial(step, **self._blueprint.step.options(options))
        self.steps += 1
        self._counted.step_count += 1
        try:
            observation = step(action)
        except BaseException as error:  # noqa: BLE001  raised again
            self._reraise("step", error)
        return self._conclude(observation, following)

    def report_slow(self, name: str, elapsed: float) -> None:
        """Say that a call held the event loop for longer than `SLOW_CALL_S`."""
        if isinstance(self._executor, LoopExecutor):
            self._executor.warn(name, elapsed)

    def _count(self) -> None:
        self.steps += 1
        self._counted.step_count += 1

    def _conclude(self, observation: Any, following: Phase) -> StepResult[Any]:
        try:
            result = READERS[type(observation)](observation)
        except codec.UNSENDABLE as error:
            raise self._failure("observation", error) from error
        if self.phase is CLOSED:
            raise SessionClosedError("The session was closed while the call was under way")
        self.phase = DONE if result.done else following
        return result

    async def state(self) -> Any:
        """The inner state as plain values."""
        async with self._turn:
            advance(STATE, self.phase)
            state = await self._perform(self._blueprint.state)
            try:
                return _plain_state(state)
            except codec.UNSENDABLE as error:
                raise self._failure("state", error) from error

    async def metadata(self) -> Any:
        """What `get_metadata` returns."""
        async with self._turn:
            return await self._perform(self._blueprint.metadata)

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


def _new_episode_id() -> str:
    """A UUID of version 4, in a third of the time that the standard library takes."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _plain_state(state: Any) -> Any:
    """A state as an object of plain values, with whatever attributes the author added to it."""
    if state is None:
        return {}
    fields = codec.to_builtins(state)
    if isinstance(state, State):
        return {**fields, **codec.to_builtins(vars(state))}
    return fields
