"""Lanes that were set going and are told of as they become ready, a given number at a time."""

import asyncio
from collections import deque
from collections.abc import Collection
from typing import Any, NamedTuple

from openenv_lite.errors import CallCancelledError, InvalidMessageError, OpenEnvError
from openenv_lite.types import StepResult

__all__ = ["Outcome", "Readiness", "Told"]

Outcome = StepResult[Any] | OpenEnvError
"""What came of a step or reset in one lane."""

Told = list[tuple[int, Outcome]]
"""Lanes that are ready, each with its outcome."""


class _Waiter(NamedTuple):
    request: int
    wanted: int
    told: "asyncio.Future[Told]"


class Readiness:
    """What has become ready, in that order, and who waits for it; first come, first served."""

    def __init__(self) -> None:
        self._untold: set[int] = set()
        self._ready: deque[tuple[int, Outcome]] = deque()
        self._waiters: deque[_Waiter] = deque()
        self._unpromised = 0

    def expect(self, lanes: Collection[int], wanted: int) -> None:
        """These lanes are about to be set going by a request that will then `take` so many.

        Raises:
            InvalidMessageError: One of them is not told of yet since it was last set going, so
                that a reply could name it twice; or so many would never become ready.
        """
        again = self._untold.intersection(lanes)
        if again:
            raise InvalidMessageError(
                f"Lane {min(again)} is under way with `wait` already: receive it first"
            )
        _check(wanted, self._unpromised + len(lanes))
        self._untold.update(lanes)
        self._unpromised += len(lanes)

    def put(self, lane: int, outcome: Outcome) -> None:
        """A lane is ready."""
        if lane in self._untold:  # else it was closed meanwhile
            self._ready.append((lane, outcome))
            self._tell()

    def forget(self, lanes: Collection[int]) -> None:
        """These lanes are closed: nobody is told of them any more."""
        gone = self._untold.intersection(lanes)
        self._untold -= gone
        self._ready = deque(each for each in self._ready if each[0] not in gone)
        self._unpromised -= len(gone)
        while self._unpromised < 0 and self._waiters:
            waiter = self._waiters[-1]
            self._drop(waiter)
            if not waiter.told.done():
                waiter.told.set_exception(InvalidMessageError("The lanes waited for were closed"))
                waiter.told.exception()  # looked at here, as in `cancel`

    def _tell(self) -> None:
        """Serve whoever can be, in the order in which they came."""
        while self._waiters:
            first = self._waiters[0]
            if first.told.done():
                self._drop(first)
                continue
            if len(self._ready) < first.wanted:
                return
            self._waiters.popleft()
            first.told.set_result(self._cut(first.wanted))

    def _drop(self, waiter: _Waiter) -> None:
        """It has gone, and what it waited for is the next one's."""
        self._waiters.remove(waiter)
        self._unpromised += waiter.wanted

    def _cut(self, count: int) -> Told:
        told = [self._ready.popleft() for _ in range(count)]
        self._untold.difference_update(lane for lane, _ in told)
        return told

    def take(self, request: int, count: int) -> "Told | asyncio.Future[Told]":
        """The next lanes to become ready: at once if they are, else when they will be.

        Args:
            request: Who asks, for `cancel`.
            count: How many.

        Raises:
            InvalidMessageError: So many lanes are not under way, and would never become ready.
        """
        _check(count, self._unpromised)
        self._unpromised -= count
        if not self._waiters and len(self._ready) >= count:
            return self._cut(count)
        told: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        self._waiters.append(_Waiter(request, count, told))
        return told

    def give_back(self, told: "asyncio.Future[Told]") -> None:
        """Whoever waited has gone: what it was, or would have been, told is the next one's."""
        if not told.cancelled() and told.exception() is None:
            self._ready.extendleft(reversed(told.result()))
            self._untold.update(lane for lane, _ in told.result())
            self._unpromised += len(told.result())
        for waiter in [each for each in self._waiters if each.told is told]:
            self._drop(waiter)
        self._tell()

    def cancel(self, request: int) -> None:
        """Let a request wait no more; what it waited for is the next one's."""
        waiting = [each for each in self._waiters if each.request == request]
        for waiter in waiting:
            self._drop(waiter)
            if not waiter.told.done():
                waiter.told.set_exception(CallCancelledError("The client cancelled the request"))
                waiter.told.exception()  # looked at here, for the one who asked may be gone
        if waiting:
            self._tell()


def _check(wanted: int, coming: int) -> None:
    if wanted > coming:
        raise InvalidMessageError(
            f"wait={wanted}, but {coming} lanes are under way that nobody waits for: "
            "step or reset more of them with `wait`"
        )
