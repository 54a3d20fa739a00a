"""Where the plain `def` methods of an environment run: on the event loop, or on their own thread.

An executor is chosen once for a class and lives as long as the session. Both kinds run one call at
a time, in the order in which they were asked.
"""

import asyncio
import collections
import contextvars
import logging
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from time import perf_counter, thread_time
from typing import Any, NoReturn, Protocol

import msgspec

from openenv_lite.context import InputRequired
from openenv_lite.errors import ConfigurationError, SessionClosedError

__all__ = [
    "QUICK_CALL_S",
    "SLOW_CALL_S",
    "STACK_BYTES",
    "Executor",
    "LoopExecutor",
    "ThreadExecutor",
]

log = logging.getLogger(__name__)

AsyncFunction = Callable[[], Coroutine[Any, Any, Any]]

SLOW_CALL_S = 0.05
"""An inline call that holds the event loop for longer than this is reported, once a session."""

QUICK_CALL_S = 0.0005
"""What a call on a thread may compute to be called quick; waiting does not count."""

STACK_BYTES = 4 * 1024 * 1024
"""A thread's share of the address space; memory is taken only as far as it is touched. Thousands
fit where a process is given little of it, and still an author's endless recursion ends as a
`RecursionError`: with 2 MiB, on Python 3.12 and 3.13, it ends the process."""


class Executor(Protocol):
    """Runs the calls of one session."""

    async def run(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call the function here and give back what it gives or raises."""

    def wait_for(self, function: AsyncFunction) -> Any:
        """From inside a call on this executor: run an async function on the event loop and wait."""

    async def close(self) -> None:
        """Wait for what was asked before, then end."""

    def abandon(self) -> None:
        """End after what was asked before, with nobody waiting for it."""


class LoopExecutor:
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
            self.warn(getattr(function, "__name__", "__init__"), elapsed)
        return value

    def warn(self, member: str, elapsed: float) -> None:
        """Report a call that took longer than `SLOW_CALL_S`; once."""
        if self._warned:
            return
        self._warned = True
        log.warning(
            "%s.%s held the event loop for %.0f ms, and every other session with it. "
            "Set BLOCKING = True on the class, or move the work into an async method.",
            self._name,
            member,
            elapsed * 1000,
        )

    def wait_for(self, function: AsyncFunction) -> NoReturn:
        """Refuse: waiting here would stop the loop that the function needs."""
        raise _cannot_wait(self._name)

    async def close(self) -> None:
        """Nothing to end."""

    def abandon(self) -> None:
        """Nothing to end."""


class ThreadExecutor:
    """Calls run on one thread that only this session uses."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._is_ended = False
        self._loop = asyncio.get_running_loop()
        self._landing = _landing_on(self._loop)
        self._inbox = _Inbox()
        self._job: _Job | None = None
        self._ended = self._loop.create_future()
        self._ended.add_done_callback(self._inbox.close)
        # A daemon, so that a call that never returns cannot keep the process from exiting.
        self._thread = threading.Thread(target=self._work, name=f"openenv-{name}", daemon=True)
        _start(self._thread)

    async def run(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call the function on the thread; a cancelled caller leaves it running there."""
        if self._is_ended:
            raise SessionClosedError("The session is closed")
        outcome = self._loop.create_future()
        self._inbox.put(_Job(outcome, contextvars.copy_context(), function, args, kwargs))
        value, error = await outcome
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
        answer = _while_awaited(self._job.outcome, function)
        return asyncio.run_coroutine_threadsafe(answer, self._loop).result()

    async def close(self) -> None:
        """Wait for the calls asked before, then let the thread end."""
        self.abandon()
        await asyncio.shield(self._ended)

    def abandon(self) -> None:
        """Let the thread end after the calls asked before."""
        self._is_ended = True
        self._inbox.put(None)

    def _work(self) -> None:
        while (job := self._inbox.get()) is not None:
            self._job = job
            if not self._landing.bring(job.outcome, job.perform()):
                return
        self._landing.bring(self._ended, None)


class _Job(msgspec.Struct, eq=False):
    """One call and where its outcome goes."""

    outcome: "asyncio.Future[Any]"
    variables: contextvars.Context
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def perform(self) -> tuple[Any, BaseException | None]:
        """Value and error as a pair: a Future could not carry a `StopIteration`."""
        try:
            return self.variables.run(self.function, *self.args, **self.kwargs), None
        except BaseException as error:  # noqa: BLE001  it crosses the thread and is raised there
            return None, error


class _Inbox:
    """Where the thread of a session waits for what the loop puts there.

    After a call that computed little it waits at a bell, which the loop rings with the interpreter
    let go, so that the thread has it at once. After one that computed long it waits at a lock:
    among threads that compute, a loop that lets go would wait for its own turn.
    """

    def __init__(self) -> None:
        self._jobs: collections.deque[_Job | None] = collections.deque()
        self._lock = threading.Lock()
        self._lock.acquire()
        self._bell = _bell()
        self._is_at_bell = False
        self._computed_s = 0.0

    def put(self, job: _Job | None) -> None:
        """Leave a job; for the loop alone."""
        self._jobs.append(job)
        if self._is_at_bell:
            os.eventfd_write(self._bell, 1)
        elif self._lock.locked():
            self._lock.release()

    def get(self) -> _Job | None:
        """The next job; for the thread alone, which first says where it waits, and then looks."""
        computed_s = thread_time()
        is_quick = computed_s - self._computed_s < QUICK_CALL_S
        self._is_at_bell, self._computed_s = is_quick and self._bell >= 0, computed_s
        while not self._jobs:
            if self._is_at_bell:
                os.eventfd_read(self._bell)
            else:
                self._lock.acquire()
        return self._jobs.popleft()

    def close(self, _: object = None) -> None:
        """Give the descriptor back; for the loop, which alone rings, once the thread has ended."""
        self._is_at_bell = False
        bell, self._bell = self._bell, -1
        if bell >= 0:
            os.close(bell)

    __del__ = close  # where the loop went before the thread did


def _bell() -> int:
    """A descriptor to wait at; negative where there is none to be had."""
    try:
        return os.eventfd(0)
    except (AttributeError, OSError):  # not Linux, or too many are open
        return -1


class _Landing:
    """Where the threads of one event loop leave what it is to know.

    However many of them end a call while the loop is busy, it is woken once.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._landed: collections.deque[tuple[asyncio.Future[Any], Any]] = collections.deque()
        self._is_loop_called = False

    def bring(self, future: "asyncio.Future[Any]", value: Any) -> bool:
        """Hand a value to the loop; False once the loop is gone and nobody listens."""
        self._landed.append((future, value))
        try:
            self._call_loop()
        except RuntimeError:
            return False
        return not self._loop.is_closed()

    def _call_loop(self) -> None:
        """Once is enough: the loop takes the mark away before it looks what has landed."""
        if self._is_loop_called:
            return
        self._is_loop_called = True
        try:
            self._loop.call_soon_threadsafe(self._settle)
        except BaseException:  # a mark that nobody takes away would silence every other thread
            self._is_loop_called = False
            raise

    def _settle(self) -> None:
        self._is_loop_called = False
        while self._landed:
            future, value = self._landed.popleft()
            if not future.done():
                future.set_result(value)


_LANDINGS = weakref.WeakValueDictionary[asyncio.AbstractEventLoop, _Landing]()


def _landing_on(loop: asyncio.AbstractEventLoop) -> _Landing:
    """That of this loop; it lives as long as somebody has it."""
    return _LANDINGS.setdefault(loop, _Landing(loop))


_STARTING = threading.Lock()
"""Loops on several threads must not take each other's size for the author's."""


def _start(thread: threading.Thread) -> None:
    """Start a thread with a stack of `STACK_BYTES`, unless the author has chosen a size."""
    with _STARTING:
        chosen = threading.stack_size()
        threading.stack_size(chosen or STACK_BYTES)
        try:
            thread.start()
        finally:
            threading.stack_size(chosen)


async def _while_awaited(outcome: "asyncio.Future[Any]", function: AsyncFunction) -> Any:
    """Await the function for a call; its caller's going ends it, and holds up no thread."""
    if outcome.done():
        raise SessionClosedError("The call was cancelled")
    here = asyncio.current_task()
    assert here is not None

    def give_up(_: Any) -> None:
        here.cancel()

    outcome.add_done_callback(give_up)
    try:
        return await function()
    finally:
        outcome.remove_done_callback(give_up)


def _cannot_wait(name: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name} called the plain `step` of MCPEnvironment on the event loop, where it cannot wait "
        "for an async tool. Override `async def step_async` and await `super().step_async(...)`."
    )
