"""What an author writes: an `Environment`, or an `MCPEnvironment` whose actions are tools.

`reset`, `step`, `close` and `get_metadata` may be `def` or `async def`, and take only the keyword
arguments they want.
"""

import contextvars
import functools
import inspect
import os
import random
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, TypeVar

from openenv_lite.agent_side import AgentSide
from openenv_lite.content import openenv_result
from openenv_lite.errors import RequestError, ToolFailedError
from openenv_lite.failures import failed_call
from openenv_lite.foreign_tools import tools_of
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

__all__ = ["SERVED_MODE", "TASK_METHODS", "Environment", "MCPEnvironment", "described"]

SERVED_MODE = contextvars.ContextVar("SERVED_MODE", default=ServerMode.SIMULATION)
"""The mode in which the environment under construction will be served."""

TASK_METHODS = ("list_splits", "list_tasks", "num_tasks", "get_task", "get_task_range")
"""What an environment whose episodes are rows of a dataset may define."""

ActT = TypeVar("ActT")
ObsT = TypeVar("ObsT")
StateT = TypeVar("StateT")


class Environment(Generic[ActT, ObsT, StateT]):
    """An interface for an agent plus a state that only a trainer can reset.

    Name the types in the generics, `class Chess(Environment[Move, Board, State])`, and define
    `reset` and `step`. One instance serves one session, one call at a time.

    Where the whole state can be written down, define `snapshot(self) -> Saved` and
    `restore(self, saved: Saved) -> None` too, `def` or `async def`: trainers can then go back to a
    state and fork it. `Saved` is any type that can be encoded (a Struct, list, dict or bytes, say);
    `restore` gets a value of that type which nobody else has. `snapshot` changes nothing. Saved
    beside it, and put back after `restore` has returned: `rng`, unless it was replaced by a
    generator of another class; the episode's id, step count and phase; and the attributes set on
    the base class's state, as plain values.

    Where each episode is a task of a dataset, define what trainers ask before they choose one, any
    of `list_splits(self)`, `list_tasks(self, split)`, `num_tasks(self, split)`,
    `get_task(self, split, index)` and `get_task_range(self, split, start, stop)`, and take `split`
    and `index` as options of `reset`. They change nothing and need no `reset` before; what they
    return is encoded as it is. `IndexError` says that there is no such task.

    Attributes:
        rng: Random generator of this instance; `reset(seed=...)` seeds it before the author's
            code runs, and a reset without a seed lets it go on.
        server_mode: The mode the instance is served in, known to its constructor already.
    """

    SUPPORTS_CONCURRENT_SESSIONS: ClassVar[bool] = False
    """Whether several instances may live in one process."""
    BLOCKING: ClassVar[bool] = True
    """Whether plain `def` methods may wait (I/O, sleep, heavy work). They then run on a thread of
    the session's own, the same from construction to close; else on the event loop, which is the
    fast path and right for methods that take well under a millisecond."""
    VERSION: ClassVar[str] = "1"
    """Change it when snapshots of an older one no longer fit: they are then refused."""

    rng: random.Random
    server_mode: ServerMode
    _episode: State

    def __new__(cls, *args: Any, **kwargs: Any) -> "Environment[ActT, ObsT, StateT]":
        """Set up what the base class owns, so that a subclass need not call `super().__init__`."""
        self = super().__new__(cls)
        # In a third of the time in which `Random` would find a seed.
        self.rng = random.Random(os.urandom(32))
        self.server_mode = SERVED_MODE.get()
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

    def begin(self, seed: int | None, state: State) -> None:
        """Called by the session before each reset: seed `rng`, and count in this state."""
        self._episode = state
        if seed is not None:
            self.rng.seed(seed)

    def close(self) -> Any:
        """Release what the instance holds; called once, on the thread it was built on."""

    def get_metadata(self) -> Any:
        """What `/metadata` tells: name and description from the class, unless overridden."""
        return described(type(self))


def described(kind: type) -> EnvironmentMetadata:
    """What is known of a class that does not describe itself."""
    name = kind.__name__
    return EnvironmentMetadata(name=name, description=f"{name} environment", version="1.0.0")


def _seeding(reset: Callable[..., Any]) -> Callable[..., Any]:
    """Seed `rng` before the author's reset runs, so that no author can forget to.

    A session does so itself, also where the author's reset takes no seed; this is for whoever
    calls `reset(seed=...)` on an instance.
    """
    leads = list(inspect.signature(reset).parameters)[1:2] == ["seed"]

    @functools.wraps(reset)
    def seeded(self: Environment[Any, Any, Any], *args: Any, **kwargs: Any) -> Any:
        seed = args[0] if args and leads else kwargs.get("seed")
        if isinstance(seed, int) and type(self).reset is seeded:  # not again from super()
            self.rng.seed(seed)
        return reset(self, *args, **kwargs)

    return seeded


class MCPEnvironment(AgentSide, Environment[Any, Any, State]):
    """An environment whose actions are tools; alive from its construction.

    Declare tools in `__init__` with `@self.tool`, resources with `@self.resource(uri)`, prompts
    with `@self.prompt`; or pass a FastMCP or `mcp` server object. All may come and go later. Agents
    are listed what is registered, and call that: `list_tools` and `call_tool` are a trainer's view.

    Args:
        server: The foreign server object whose tools are taken over.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> "MCPEnvironment":
        """Give every instance registries of its own before any `__init__` runs."""
        self = super().__new__(cls)
        assert isinstance(self, MCPEnvironment)
        self._offer_nothing_yet()
        return self

    def __init__(self, server: Any = None) -> None:
        for tool in tools_of(server) if server is not None else []:
            self.tools.add(tool)

    def reset(self, *args: Any, **kwargs: Any) -> Any:
        """Begin an episode; override it where there is something to begin."""
        return Observation()

    async def step_async(self, action: Any, *args: Any, **kwargs: Any) -> Any:
        """List or call tools, within `timeout_s` seconds; any other action goes to `_step_impl`.

        Override it, or `step`, to act before or after a tool call, and call the one of `super()`.
        """
        if isinstance(action, ListToolsAction):
            return ListToolsObservation(tools=self.list_tools())
        if not isinstance(action, CallToolAction):
            return await self.run_function(functools.partial(self._step_impl, action, **kwargs))
        try:
            limit = kwargs.get("timeout_s")
            result = await self.call_tool(action.tool_name, action.arguments, limit)
        except (RequestError, ToolFailedError) as error:
            return failed_call(action.tool_name, error)
        return CallToolObservation(tool_name=action.tool_name, result=result)

    def step(self, action: Any, *args: Any, **kwargs: Any) -> Any:
        """As `step_async`, for overrides that are a plain `def`."""
        if isinstance(action, ListToolsAction):
            return ListToolsObservation(tools=self.list_tools())
        if not isinstance(action, CallToolAction):
            return self._step_impl(action, **kwargs)
        try:
            limit = kwargs.get("timeout_s")
            result = openenv_result(self.invoke_inline(action.tool_name, action.arguments, limit))
        except (RequestError, ToolFailedError) as error:
            return failed_call(action.tool_name, error)
        return CallToolObservation(tool_name=action.tool_name, result=result)

    def list_tools(self) -> list[ToolSpec]:
        """The tools that exist in the mode this instance is served in."""
        return self.tools.list(self.server_mode)

    async def call_tool(
        self, name: str, arguments: Mapping[str, Any], timeout_s: float | None = None
    ) -> dict[str, Any]:
        """As `invoke_tool`, with the result in OpenEnv's form."""
        return openenv_result(await self.invoke_tool(name, arguments, timeout_s))

    def _step_impl(self, action: Any, **kwargs: Any) -> Any:
        """Carry out an action that is not a tool call; override it where such actions exist."""
        raise NotImplementedError(f"{type(self).__name__} takes tool actions only")
