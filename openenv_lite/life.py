"""One environment from its construction to its close: where it runs, and whose turn it is."""

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from openenv_lite.blueprint import Blueprint, Operation
from openenv_lite.environment import SERVED_MODE, Environment, MCPEnvironment
from openenv_lite.errors import ExecutionError, FactoryError, OpenEnvError, ToolFailedError
from openenv_lite.failures import execution_failure, is_authors, keep_sendable
from openenv_lite.protocol import CLOSED, FRESH, Phase
from openenv_lite.types import ServerMode, State

__all__ = ["CLOSED_CHANGE", "Change", "Life", "Watcher"]

log = logging.getLogger(__name__)


class Change(NamedTuple):
    """What changed in an environment: one of its lists, or a resource."""

    kind: str
    """`tools`, `prompts` or `resources`; `session` where all of it has ended."""
    uri: str | None = None
    """Of the resource whose contents changed."""


CLOSED_CHANGE = Change("session")
"""The last change: the session is closed."""

Watcher = Callable[[Change], None]
"""Told of changes, on the event loop."""


class Life:
    """An environment, its executor and its turn. Create it on the event loop, then `open` it.

    Attributes:
        id: The same on every transport; nobody can guess it.
        mode: Fixed for life; decides which tools exist and what of an error is told.
        phase: Where the episode stands; closed before `open` and after `close`.
        steps: Steps and tool calls so far, over all episodes.
        watchers: Told of every change, on the event loop.
    """

    def __init__(self, session_id: str, blueprint: Blueprint, mode: ServerMode) -> None:
        self.id = session_id
        self.mode = mode
        self.phase: Phase = CLOSED
        self.steps = 0
        self._blueprint = blueprint
        self._executor = blueprint.executor()
        self._turn = asyncio.Lock()
        self._environment: Any = None
        self._counted = State()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.watchers: set[Watcher] = set()

    @property
    def is_busy(self) -> bool:
        """Whether a call is under way."""
        return self._turn.locked()

    @property
    def is_open(self) -> bool:
        """Whether the environment exists and takes calls."""
        return self.phase is not CLOSED

    @property
    def is_threaded(self) -> bool:
        """Whether plain methods run on a thread, where nobody can stop them."""
        return self._blueprint.threaded

    @property
    def instance(self) -> Any:
        """What the author's factory made, for other code of the author's in this process."""
        return getattr(self._environment, "theirs", self._environment)

    async def open(self) -> None:
        """Build the environment.

        Raises:
            FactoryError: The author's constructor raised.
        """
        async with self._turn:
            try:
                await self._executor.run(functools.partial(self._build))
                await self._connect()
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
            environment.run_function = self._executor.run
            environment.run_coroutine = self._executor.wait_for

    async def _connect(self) -> None:
        """Reach what is mounted, and listen to what changes from now on."""
        environment = self._environment
        if not isinstance(environment, MCPEnvironment):
            return
        self._loop = asyncio.get_running_loop()
        await environment.connect()
        environment.tools.on_change = functools.partial(self._tell, Change("tools"))
        environment.prompts.on_change = functools.partial(self._tell, Change("prompts"))
        environment.resources.on_change = functools.partial(self._tell, Change("resources"))
        environment.resources.on_update = lambda uri: self._tell(Change("resources", uri))

    def _tell(self, change: Change) -> None:
        """Pass a change on, from whatever thread; nobody listens once the loop is gone."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._tell_now, change)

    def _tell_now(self, change: Change) -> None:
        for watcher in [*self.watchers]:
            watcher(change)

    async def close(self) -> None:
        """Close the environment after whatever is under way, then its executor.

        Raises nothing of the author's. Cancelled, it leaves the executor to end by itself.
        """
        try:
            async with self._turn:
                self.phase = CLOSED
                # A construction whose caller was cancelled may still run; wait for its end.
                await self._executor.run(_do_nothing)
                self._tell(CLOSED_CHANGE)
                await self._dispose()
                await self._executor.close()
        except BaseException:
            self.phase = CLOSED
            self._executor.abandon()
            raise

    async def _dispose(self) -> None:
        try:
            if isinstance(self._environment, MCPEnvironment):
                await self._environment.disconnect()
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
            return await self._executor.run(method, *args, **kwargs)
        except BaseException as error:  # noqa: BLE001  raised again
            self._reraise(operation.name, error)

    def _reraise(self, member: str, error: BaseException) -> NoReturn:
        """Let what a member of the author's raised leave as a typed error."""
        failure = self._failure_of(member, error)
        if failure is None:
            raise error
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
    """Awaiting this on an executor waits for all that was asked before."""
