"""A clock that tests turn by hand, so that nothing timed has to be waited for."""

import asyncio

__all__ = ["ManualClock"]

_LOOP_TURNS = 20
"""Enough for what a sleeper does next, short of a thread, to have been done."""


class ManualClock:
    """Time stands still until `advance`; sleepers wake in the order of their alarms."""

    def __init__(self) -> None:
        self._now = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        """Seconds turned so far."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been turned this far."""
        alarm = asyncio.get_running_loop().create_future()
        sleeper = (self._now + max(seconds, 0.0), alarm)
        self._sleepers.append(sleeper)
        try:
            await alarm
        finally:
            self._sleepers.remove(sleeper)

    async def advance(self, seconds: float) -> None:
        """Turn the clock on, waking each sleeper at its own moment."""
        await _settle()
        until = self._now + seconds
        while due := [each for each in self._sleepers if each[0] <= until and not each[1].done()]:
            moment, alarm = min(due, key=lambda each: each[0])
            self._now = max(self._now, moment)
            alarm.set_result(None)
            await _settle()
        self._now = until
        await _settle()


async def _settle() -> None:
    for _ in range(_LOOP_TURNS):
        await asyncio.sleep(0)
