"""Processes that run tests at the same time, one after the other where they must be."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

__all__ = ["one_at_a_time"]


@contextlib.contextmanager
def one_at_a_time(file: str) -> Iterator[None]:
    """Wait until no other process is within this block.

    Args:
        file: Any that is there, the caller's own for instance: it names the block.
    """
    with Path(file).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
