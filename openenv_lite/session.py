"""One client's lease on one environment: who calls it, where, and in which phase.

A session owns its environment, its lane and its turn. Calls are serial; each either happened or
raised a typed error. Nothing here knows a transport.
"""

import asyncio
import functools
import logging
import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

from openenv_lite import codec
from openenv_lite.blueprint import Blueprint, Operation
from openenv_lite.environment import SERVED_MODE, Environment, MCPEnvironment
from openenv_lite.errors import (
    ExecutionError,
    FactoryError,
    OpenEnvError,
    SessionClosedError,
    ToolFailedError,
    ToolsUnsupportedError,
)
from openenv_lite.failures import execution_failure, is_authors, keep_sendable
from openenv_lite.lane import LoopLane
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
from openenv_lite.results import result_of
from openenv_lite.types import (
    ServerMode,
    State,
    StepResult,
    ToolSpec,
)

__all__ = ["Session"]

log = logging.getLogger(__name__)

_NO_OPTIONS: Mapping[str, Any] = {}


class _Beginning(msgspec.Struct):
    """What every reset may name, whatever the author's own takes."""

    seed: int | None = None
    episode_id: str | None = None


class Session:
    """One environment, leased. Create it on the event loop, then `open` it.

    Attributes:
        id: The same on every transport; nobody can guess it.
        mode: Fixed for life; decides which tools exist and what of an error is told.
        phase: Where the episode stands; closed before `open` and after `close`.
        steps: Steps and tool calls so far, over all episodes.
    """

    def __init__(self, session_id: str, blueprint: Blueprint, mode: ServerMode) -> None:
        self.id = session_id
        self.mode = mode
        self.phase: Phase = CLOSED
        self.steps = 0
        self._blueprint = blueprint
        self._lane = blueprint.lane()
        self._turn = asyncio.Lock()
        self._environment: Any = None
        self._counted = State()

    @property
    def is_busy(self) -> bool:
        """Whether a call is under way."""
        return self._turn.locked()

    @property
    def is_open(self) -> bool:
        """Whether the environment exists and takes calls."""
        return self.phase is not CLOSED

    async def open(self) -> None:
        """Build the environment.

        Raises:
            FactoryError: The author's constructor raised.
        """
        async with self._turn:
            try:
                await self._lane.run(functools.partial(self._build))
            except BaseException as error:
                if not is_authors(error):
                    raise
                name = self._blueprint.name
                log.exception("%s could not be built", name)
                raise FactoryError(
                    f"Environment factory '{name}' failed to create instance.",
                    factory_name=name,
                ) from error
            self.phase = FRESH

    def _build(self) -> None:
        """Keep the instance here rather than return it: a cancelled caller must not lose it."""
        SERVED_MODE.set(self.mode)
        environment = self._environment = self._blueprint.factory()
        if isinstance(environment, Environment):
            environment.begin(None, self._counted)
        if isinstance(environment, MCPEnvironment):
            environment.run_function = self._lane.run
            environment.run_coroutine = self._lane.wait_for

    async def reset(self, options: Mapping[str, Any] = _NO_OPTIONS) -> StepResult[Any]:
        """Begin an episode; options the author's `reset` does not take are dropped.

        Raises:
            InvalidMessageError: An option does not fit its type.
            ExecutionError: The author's code raised; the episode is then not running.
        """
        async with self._turn:
            following = advance(RESET, self.phase)
            accepted = self._blueprint.reset.options(options)
            self._begin(codec.convert(dict(options), _Beginning))
            self.phase = FRESH
            observation = await self._perform(self._blueprint.reset, **accepted)
            return self._conclude(observation, following)

    def _begin(self, beginning: "_Beginning") -> None:
        """Seed and count for the author, whose `reset` may want neither argument."""
        self._counted = State(episode_id=beginning.episode_id or str(uuid.uuid4()))
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
        following = advance(STEP, self.phase)
        accepted = self._blueprint.step.options(options) if options else _NO_OPTIONS
        self._count()
        try:
            assert isinstance(self._lane, LoopLane)
            observation = self._lane.call(self._environment.step, action, **accepted)
        except BaseException as error:
            failure = self._failure_of("step", error)
            if failure is None:
                raise
            raise failure from error
        return self._conclude(observation, following)

    def _count(self) -> None:
        self.steps += 1
        self._counted.step_count += 1

    def _conclude(self, observation: Any, following: Phase) -> StepResult[Any]:
        try:
            result = result_of(observation)
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

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call one tool and return its result in OpenEnv's form.

        Raises:
            UnknownToolError, InvalidArgumentsError: Nothing of the author's ran.
            ToolFailedError: The tool raised.
        """
        async with self._turn:
            self.phase = advance(CALL_TOOL, self.phase)
            environment = self._with_tools()
            self._count()
            return await environment.call_tool(name, arguments)

    def _with_tools(self) -> MCPEnvironment:
        if not isinstance(self._environment, MCPEnvironment):
            raise ToolsUnsupportedError("Environment does not support MCP")
        return self._environment

    async def close(self) -> None:
        """Close the environment after whatever is under way, then its lane.

        Raises nothing of the author's. Cancelled, it leaves the lane to end by itself.
        """
        try:
            async with self._turn:
                self.phase = CLOSED
                # A construction whose caller was cancelled may still run; wait for its end.
                await self._lane.run(_do_nothing)
                await self._dispose()
                await self._lane.close()
        except BaseException:
            self.phase = CLOSED
            self._lane.abandon()
            raise

    async def _dispose(self) -> None:
        try:
            if self._environment is not None:
                await self._perform(self._blueprint.close)
        except OpenEnvError:
            log.debug("Session %s: its environment failed to close", self.id)
        self._environment = None

    async def _perform(self, operation: Operation, /, *args: Any, **kwargs: Any) -> Any:
        """Run a method of the author's; whatever it raises leaves as a typed error."""
        try:
            method = operation.of(self._environment)
            if operation.is_async:
                return await method(*args, **kwargs)
            return await self._lane.run(method, *args, **kwargs)
        except BaseException as error:
            failure = self._failure_of(operation.name, error)
            if failure is None:
                raise
            raise failure from error

    def _failure_of(self, member: str, error: BaseException) -> ExecutionError | None:
        """The typed error for it; None where it is typed already, or not the author's."""
        if isinstance(error, ExecutionError | ToolFailedError):
            keep_sendable(error)
            return None
        return self._failure(member, error) if is_authors(error) else None

    def _failure(self, member: str, error: BaseException) -> ExecutionError:
        return execution_failure(f"{self._blueprint.name}.{member}", error, self.mode)


def _do_nothing() -> None:
    """Awaiting this on a lane waits for all that was asked before."""


def _plain_state(state: Any) -> Any:
    """A state as an object of plain values, with whatever attributes the author added to it."""
    if state is None:
        return {}
    fields = codec.to_builtins(state)
    if isinstance(state, State):
        return {**fields, **codec.to_builtins(vars(state))}
    return fields
