"""Where the plain `def` methods of an environment run: on the event loop, or on their own thread.

A lane is chosen once for a class and lives as long as the session. Both kinds run one call at a
time, in the order in which they were asked.
"""

import asyncio
import concurrent.futures
import contextvars
import logging
import queue
import threading
from collections.abc import Callable, Coroutine
from time import perf_counter
from typing import Any, NoReturn, Protocol

from openenv_lite.context import InputRequired
from openenv_lite.errors import ConfigurationError, SessionClosedError

__all__ = ["SLOW_CALL_S", "Lane", "LoopLane", "ThreadLane"]

log = logging.getLogger(__name__)

AsyncFunction = Callable[[], Coroutine[Any, Any, Any]]

SLOW_CALL_S = 0.05
"""An inline call that holds the event loop for longer than this is reported, once a session."""


class Lane(Protocol):
    """Runs the calls of one session."""

    async def run(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call the function here and give back what it gives or raises."""

    def wait_for(self, function: AsyncFunction) -> Any:
        """From inside a call on this lane: run an async function on the event loop and wait."""

    async def close(self) -> None:
        """Wait for what was asked before, then end."""

    def abandon(self) -> None:
        """End after what was asked before, with nobody waiting for it."""


class LoopLane:
    """Calls run on the event loop itself: no hop, but they must not wait."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._warned = False

    async def run(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call the function at once."""
        return self.call(function, *args, **kwargs)

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """As `run`, without a coroutine: the step path's shortest way."""
        began = perf_counter()
        value = function(*args, **kwargs)
        elapsed = perf_counter() - began
        if elapsed > SLOW_CALL_S:
            self.warn(function, elapsed)
        return value

    def warn(self, function: Callable[..., Any], elapsed: float) -> None:
        """Report a call that took longer than `SLOW_CALL_S`; once."""
        if self._warned:
            return
        self._warned = True
        log.warning(
            "%s.%s held the event loop for %.0f ms, and every other session with it. "
            "Set BLOCKING = True on the class, or move the work into an async method.",
            self._name,
            getattr(function, "__name__", "__init__"),
            elapsed * 1000,
        )

    def wait_for(self, function: AsyncFunction) -> NoReturn:
        """Refuse: waiting here would stop the loop that the function needs."""
        raise _cannot_wait(self._name)

    async def close(self) -> None:
        """Nothing to end."""

    def abandon(self) -> None:
        """Nothing to end."""


class ThreadLane:
    """Calls run on one thread that only this session uses."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._is_ended = False
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._job: _Job | None = None
        self._ended = self._loop.create_future()
        # A daemon, so that a call that never returns cannot keep the process from exiting.
        self._thread = threading.Thread(target=self._work, name=f"openenv-{name}", daemon=True)
        self._thread.start()

    async def run(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call the function on the thread; a cancelled caller leaves it running there."""
        if self._is_ended:
            raise SessionClosedError("The session is closed")
        job = _Job(self._loop.create_future(), function, args, kwargs)
        self._jobs.put(job)
        try:
            value, error = await job.outcome
        except asyncio.CancelledError:
            job.stop_waiting()
            raise
        if error is None:
            return value
        if isinstance(error, Exception | InputRequired):
            raise error
        # As it is, a SystemExit or KeyboardInterrupt of the author's would end the event loop.
        raise RuntimeError(f"{type(error).__name__}: {error}") from error

    def wait_for(self, function: AsyncFunction) -> Any:
        """Run an async function on the event loop while the thread waits."""
        if threading.current_thread() is not self._thread:
            raise _cannot_wait(self._name)
        assert self._job is not None
        return self._job.wait_for(function, self._loop)

    async def close(self) -> None:
        """Wait for the calls asked before, then let the thread end."""
        self.abandon()
        await asyncio.shield(self._ended)

    def abandon(self) -> None:
        """Let the thread end after the calls asked before."""
        self._is_ended = True
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._job = job
            if not self._report(job.outcome, job.perform()):
                return
        self._report(self._ended, None)

    def _report(self, future: "asyncio.Future[Any]", value: Any) -> bool:
        """Hand a value to the loop; False once the loop is gone and nobody listens."""
        try:
            self._loop.call_soon_threadsafe(_settle, future, value)
        except RuntimeError:
            return False
        return True


class _Job:
    """One call and where its outcome goes."""

    __slots__ = ("_awaited", "_is_forsaken", "_variables", "args", "function", "kwargs", "outcome")

    def __init__(
        self,
        outcome: "asyncio.Future[Any]",
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self.outcome = outcome
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self._variables = contextvars.copy_context()
        self._is_forsaken = False
        self._awaited: concurrent.futures.Future[Any] | None = None

    def wait_for(self, function: AsyncFunction, loop: asyncio.AbstractEventLoop) -> Any:
        """Wait, on the thread, for what runs on the event loop."""
        if self._is_forsaken:
            raise SessionClosedError("The call was cancelled")
        self._awaited = asyncio.run_coroutine_threadsafe(function(), loop)
        if self._is_forsaken:  # meanwhile
            self._awaited.cancel()
        return self._awaited.result()

    def stop_waiting(self) -> None:
        """The caller has gone: the thread is not to be held by what only it wanted."""
        self._is_forsaken = True
        if self._awaited is not None:
            self._awaited.cancel()

    def perform(self) -> tuple[Any, BaseException | None]:
        """Value and error as a pair: a Future could not carry a `StopIteration`."""
        try:
            return self._variables.run(self.function, *self.args, **self.kwargs), None
        except BaseException as error:  # noqa: BLE001  it crosses the thread and is raised there
            return None, error


def _cannot_wait(name: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name} called the plain `step` of MCPEnvironment on the event loop, where it cannot wait "
        "for an async tool. Override `async def step_async` and await `super().step_async(...)`."
    )


def _settle(future: "asyncio.Future[Any]", value: Any) -> None:
    if not future.done():
        future.set_result(value)
