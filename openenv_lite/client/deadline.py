"""How long a wait may still go on."""

import time

__all__ = ["Deadline"]


class Deadline:
    """A point in time `timeout_s` from now, or never."""

    def __init__(self, timeout_s: float | None) -> None:
        self._at = None if timeout_s is None else time.monotonic() + timeout_s

    @property
    def left_s(self) -> float | None:
        """Seconds left, not below 0; None without end."""
        return None if self._at is None else max(0.0, self._at - time.monotonic())
