"""Sessions that end with the objects they belong to."""

import asyncio
import threading
import weakref
from collections.abc import Callable
from typing import Any

__all__ = ["end_with"]


def end_with(owner: object, close: Callable[[], None]) -> "weakref.finalize[Any, Any]":
    """Close when the owner is collected, when the process exits, or when the result is called.

    Objects are collected in whatever thread happens to be at work. Where that one runs an event
    loop, which must not wait, and may be the very server's, another thread closes.

    Args:
        owner: Must not be needed to close.
        close: Called once.
    """
    return weakref.finalize(owner, _close_where_one_may_wait, close)


def _close_where_one_may_wait(close: Callable[[], None]) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        close()
    else:
        threading.Thread(target=close, name="openenv-end").start()
