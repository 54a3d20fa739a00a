"""How often a thing may be tried anew before it is left alone for a while."""

from collections import deque

__all__ = ["WINDOW_S", "Attempts"]

WINDOW_S = 60.0
"""An attempt counts for this many seconds."""


class Attempts:
    """At most `limit` attempts within any `WINDOW_S` seconds."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken: deque[float] = deque()

    def take(self, now: float) -> bool:
        """Whether another may be made at this reading of a clock; if so it is counted."""
        while self._taken and now - self._taken[0] >= WINDOW_S:
            self._taken.popleft()
        if len(self._taken) >= self._limit:
            return False
        self._taken.append(now)
        return True
