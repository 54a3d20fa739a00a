"""Nothing may be left: no task, no thread. `on_loop` runs a test and then looks."""

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

__all__ = ["on_loop", "settled", "until"]

P = ParamSpec("P")

_PATIENCE_S = 10.0


def on_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an async test by `asyncio.run`; it fails if a task or a session's thread outlives it."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(_checked(test(*args, **kwargs)))

    return run


async def _checked(test: Coroutine[Any, Any, None]) -> None:
    before = _threads()
    await test
    await settled(before)


async def settled(before: frozenset[threading.Thread] = frozenset()) -> None:
    """Wait until every other task and every session's thread has ended."""
    await until(lambda: not _left(before), lambda: f"left behind: {_left(before)}")


async def until(
    holds: Callable[[], object], complaint: Callable[[], str] = lambda: "it never came to hold"
) -> None:
    """Wait, in real time, for what another thread or task is about to bring about."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _PATIENCE_S
    while not holds():
        assert loop.time() < deadline, complaint()
        await asyncio.sleep(0.002)


def _left(before: frozenset[threading.Thread]) -> list[str]:
    here = asyncio.current_task()
    tasks = [repr(task) for task in asyncio.all_tasks() if task is not here]
    return tasks + [thread.name for thread in _threads() - before]


def _threads() -> frozenset[threading.Thread]:
    return frozenset(t for t in threading.enumerate() if t.name.startswith("openenv-"))
