"""What an author writes: an `Environment`, or an `MCPEnvironment` whose actions are tools.

Every method may be `def` or `async def`, and may take only the keyword arguments it wants.
"""

import asyncio
import functools
import random
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, Generic, TypeVar

from openenv_lite.content import call_result
from openenv_lite.foreign_tools import tools_of
from openenv_lite.tool_failure import failed_call, tool_failure
from openenv_lite.tools import ToolRegistry
from openenv_lite.types import (
    CallToolAction,
    CallToolObservation,
    EnvironmentMetadata,
    ListToolsAction,
    ListToolsObservation,
    Observation,
    ServerMode,
    State,
    ToolSpec,
)

__all__ = ["Environment", "MCPEnvironment"]

ActT = TypeVar("ActT")
ObsT = TypeVar("ObsT")
StateT = TypeVar("StateT")


class Environment(Generic[ActT, ObsT, StateT]):
    """An interface for an agent plus a state that only a trainer can reset.

    Name the types in the generics, `class Chess(Environment[Move, Board, State])`, and define
    `reset` and `step`. One instance serves one session, one call at a time.

    Attributes:
        rng: Random generator of this instance; `reset(seed=...)` seeds it before the author's
            code runs, and a reset without a seed lets it go on.
        mode: The mode the instance is served in.
    """

    SUPPORTS_CONCURRENT_SESSIONS: ClassVar[bool] = False
    """Whether several instances may live in one process."""
    BLOCKING: ClassVar[bool] = True
    """Whether plain `def` methods may wait (I/O, sleep, heavy work). They then run on a thread of
    the session's own, the same from construction to close; else on the event loop, which is the
    fast path and right for methods that take well under a millisecond."""

    rng: random.Random
    mode: ServerMode
    _episode: State

    def __new__(cls, *args: Any, **kwargs: Any) -> "Environment[ActT, ObsT, StateT]":
        """Set up what the base class owns, so that a subclass need not call `super().__init__`."""
        self = super().__new__(cls)
        self.rng = random.Random()
        self.mode = ServerMode.SIMULATION
        self._episode = State()
        return self

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "reset" in vars(cls):
            cls.reset = _seeding(cls.reset)  # type: ignore[method-assign]

    def reset(self, *args: Any, **kwargs: Any) -> Any:
        """Begin an episode and return its first observation.

        Takes any of `seed: int | None`, `episode_id: str | None` and options of the author's own.
        """
        raise NotImplementedError(f"{type(self).__name__} must define reset")

    def step(self, *args: Any, **kwargs: Any) -> Any:
        """Carry out one action (the first argument) and return the next observation.

        May take `timeout_s: float | None` and options of the author's own.
        """
        raise NotImplementedError(f"{type(self).__name__} must define step")

    @property
    def state(self) -> Any:
        """The inner state, for trainers only; by default episode id and number of steps."""
        return self._episode

    def begin(self, state: State) -> None:
        """Called by the session before each reset of a class that keeps no state of its own."""
        self._episode = state

    def close(self) -> Any:
        """Release what the instance holds; called once, on the thread it was built on."""

    def get_metadata(self) -> Any:
        """What `/metadata` tells: name and description from the class, unless overridden."""
        name = type(self).__name__
        return EnvironmentMetadata(name=name, description=f"{name} environment", version="1.0.0")


def _seeding(reset: Callable[..., Any]) -> Callable[..., Any]:
    """Seed `rng` before the author's reset runs, so that no author can forget to."""

    @functools.wraps(reset)
    def seeded(self: Environment[Any, Any, Any], *args: Any, **kwargs: Any) -> Any:
        seed = kwargs.get("seed", args[0] if args else None)
        if isinstance(seed, int):
            self.rng.seed(seed)
        return reset(self, *args, **kwargs)

    return seeded


class MCPEnvironment(Environment[Any, Any, State]):
    """An environment whose actions are tools; alive from its construction.

    Declare tools in `__init__` with `@self.tool`, or pass a FastMCP or `mcp` server object.

    Args:
        server: The foreign server object whose tools are taken over.
    """

    TOOL_TIMEOUT_S: ClassVar[float] = 30.0
    """Seconds an async tool may take; a sync tool cannot be interrupted."""

    tools: ToolRegistry
    run_coroutine: Callable[[Coroutine[Any, Any, Any]], Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> "MCPEnvironment":
        """Give every instance a registry of its own before any `__init__` runs."""
        self = super().__new__(cls)
        assert isinstance(self, MCPEnvironment)
        self.tools = ToolRegistry()
        self.run_coroutine = asyncio.run
        return self

    def __init__(self, server: Any = None) -> None:
        for tool in tools_of(server) if server is not None else []:
            self.tools.add(tool)

    @property
    def tool(self) -> ToolRegistry:
        """The decorator that declares a tool: `@self.tool`, or `@self.tool(mode="production")`."""
        return self.tools

    def reset(self, *args: Any, **kwargs: Any) -> Any:
        """Begin an episode; override it where there is something to begin."""
        return Observation()

    def step(self, action: Any, *args: Any, timeout_s: float | None = None, **kwargs: Any) -> Any:
        """List or call tools; any other action goes to `_step_impl`.

        Override it to act before or after a tool call, and call `super().step(action)`.
        """
        if isinstance(action, ListToolsAction):
            return ListToolsObservation(tools=self.list_tools())
        if isinstance(action, CallToolAction):
            return self._call(action, timeout_s)
        return self._step_impl(action, timeout_s=timeout_s, **kwargs)

    def list_tools(self) -> list[ToolSpec]:
        """The tools that exist in the mode this instance is served in."""
        return self.tools.list(self.mode)

    def _step_impl(self, action: Any, timeout_s: float | None = None, **kwargs: Any) -> Any:
        """Carry out an action that is not a tool call; override it where such actions exist."""
        raise NotImplementedError(f"{type(self).__name__} takes tool actions only")

    def _call(self, action: CallToolAction, timeout_s: float | None) -> CallToolObservation:
        try:
            tool = self.tools.get(action.tool_name, self.mode)
            value = tool.function(**tool.signature.bind(action.arguments))
            if tool.is_async:
                value = self.run_coroutine(
                    asyncio.wait_for(value, timeout_s or self.TOOL_TIMEOUT_S)
                )
            return CallToolObservation(tool_name=action.tool_name, result=call_result(value))
        except Exception as error:  # noqa: BLE001  whatever a tool raises is the agent's to see
            return failed_call(action.tool_name, tool_failure(action.tool_name, error, self.mode))
