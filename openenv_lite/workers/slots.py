"""How many environments may exist, in this process or in all workers together.

What workers share is a file of which each slot is one byte: who has the byte locked has the slot.
The system frees the locks of a process that ends, however it ends, so no slot is ever lost.
"""

import asyncio
import contextlib
import math
import os
from collections.abc import Awaitable, Callable

from openenv_lite.clock import Clock
from openenv_lite.workers.line import Line, open_line
from openenv_lite.workers.place import Worker, here

__all__ = ["PLEA", "Slots", "slots_of"]

PLEA = "plea"
"""Type of the message that asks another worker to end a session whose client went away."""

_PLEA_TIMEOUT_S = 5.0


class Slots:
    """The slots of a process that serves alone, and those who wait for one.

    Args:
        most: How many there are.
    """

    _look_again_s = math.inf
    """After how many seconds one may have become free unnoticed."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._turns: list[asyncio.Future[None]] = []

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._turns)

    def take(self) -> bool:
        """Take a slot; False if all are taken."""
        if self._taken >= self._most:
            return False
        self._taken += 1
        return True

    def give_back(self) -> None:
        """Give one back that was taken."""
        self._taken -= 1
        self.wake_all()

    async def wait(self, seconds: float, clock: Clock) -> None:
        """Return when it is worth looking again, at the latest after so many seconds."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns.append(turn)
        alarm = asyncio.ensure_future(clock.sleep(min(seconds, self._look_again_s)))
        try:
            await asyncio.wait({turn, alarm}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
            self._turns.remove(turn)

    def wake_all(self) -> None:
        """Every waiter looks again; waking just one could lose the turn if it was cancelled."""
        for turn in self._turns:
            if not turn.done():
                turn.set_result(None)

    async def plead(self) -> bool:
        """Have a slot freed elsewhere; False if nobody can."""
        return False


class _SharedSlots(Slots):
    """The slots of all workers, of which this process takes its share as it comes.

    Args:
        most: How many there are.
        worker: This process.
        place: Number of the pool, which is the same in every worker.
    """

    _look_again_s = 0.05

    def __init__(self, most: int, worker: Worker, place: int) -> None:
        super().__init__(most)
        path = os.path.join(worker.folder, f"slots-{place}")
        # It stays open: closing any file of this path would free every lock of this process.
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._worker = worker
        self._place = place
        self._mine: set[int] = set()
        self._next = worker.number * most // worker.count

    def take(self) -> bool:
        """Lock the next free byte; at capacity each byte is tried in vain."""
        for step in range(self._most):
            slot = (self._next + step) % self._most
            if slot not in self._mine and self._lock(slot):
                self._mine.add(slot)
                self._next = (slot + 1) % self._most
                return True
        return False

    def _lock(self, slot: int) -> bool:
        os.lseek(self._file, slot, os.SEEK_SET)
        try:
            os.lockf(self._file, os.F_TLOCK, 1)
        except (BlockingIOError, PermissionError):  # another worker has it
            return False
        return True

    def give_back(self) -> None:
        """Unlock a byte."""
        self._next = slot = self._mine.pop()
        os.lseek(self._file, slot, os.SEEK_SET)
        os.lockf(self._file, os.F_ULOCK, 1)
        self.wake_all()

    async def plead(self) -> bool:
        """Ask the others, one after the other, to end a session whose client went away."""
        others = [each for each in range(self._worker.count) if each != self._worker.number]
        for number in others:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_PLEA_TIMEOUT_S):
                    if await self._granted(await open_line(self._worker.path_of(number))):
                        return True
        return False

    async def _granted(self, line: Line) -> bool:
        try:
            await line.send({"type": PLEA, "pool": self._place})
            reply = await line.receive()
        finally:
            line.close()
        return reply is not None and bool(reply["granted"])


def slots_of(most: int, on_plea: Callable[[], Awaitable[bool]]) -> Slots:
    """The slots of the next pool that this process makes.

    Args:
        most: How many environments the server may hold.
        on_plea: Ends a session whose client went away; False if there is none.
    """
    worker = here()
    if worker is None:
        return Slots(most)
    worker.pleas.append(on_plea)
    return _SharedSlots(most, worker, len(worker.pleas) - 1)
