"""Lanes whose every call runs on the event loop: played one after the other, and quickly."""

import functools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any, NoReturn

from openenv_lite.batches import TABLE
from openenv_lite.context import InputRequired
from openenv_lite.errors import OpenEnvError
from openenv_lite.executor import SLOW_CALL_S
from openenv_lite.failures import typed
from openenv_lite.types import ServerMode
from openenv_lite.vector.lane import Lane
from openenv_lite.vector.readiness import Outcome

__all__ = ["CALLS_PER_LOOK", "Inline", "unknown"]

CALLS_PER_LOOK = 16
"""Calls from one look at the clock to the next."""

Call = Callable[[Any], Any]

CALLS = ("reset", "step", "snapshot", "restore")
_CALLS = {name: operator.attrgetter(f"{name}_inline") for name in CALLS}


class Inline:
    """Carries out moves.

    Args:
        lanes: By number.
        mode: Decides what of an error is told.
        stretch_s: How long calls may hold the event loop before others have a turn.
    """

    def __init__(self, lanes: Mapping[int, Lane], mode: ServerMode, stretch_s: float) -> None:
        self._lanes = lanes
        self._mode = mode
        self._stretch_s = stretch_s
        self._of_all: dict[str, list[Call]] = {}

    def forget(self) -> None:
        """Lanes were opened or closed."""
        self._of_all.clear()

    def calls(self, event: str, lanes: Sequence[int] | None) -> list[Call]:
        """What plays each lane, all of them by default; for a number without one, what refuses."""
        if lanes is not None:
            return [self._call(event, number) for number in lanes]
        if event not in self._of_all:
            self._of_all[event] = [_CALLS[event](lane) for lane in self._lanes.values()]
        return self._of_all[event]

    def _call(self, event: str, number: int) -> Call:
        lane = self._lanes.get(number)
        if lane is None:
            return functools.partial(_refuse, unknown(event, number))
        call: Call = _CALLS[event](lane)
        return call

    def play(
        self, calls: Sequence[Call], moves: Sequence[Any], outcomes: list[Outcome]
    ) -> Iterator[None]:
        """As `make`, stopping wherever the event loop has been held for long enough."""
        begin, share, until = 0, CALLS_PER_LOOK, perf_counter() + self._stretch_s
        while begin < len(calls):
            end = begin + share
            self.make(calls[begin:end], moves[begin:end], outcomes)
            begin, late_s = end, perf_counter() - until
            if late_s > 0:
                # Calls that are this slow can each be timed; of quick ones that would be felt.
                share = 1 if late_s > self._stretch_s else share
                yield
                until = perf_counter() + self._stretch_s

    def make(self, calls: Sequence[Call], moves: Sequence[Any], outcomes: list[Outcome]) -> None:
        """Make the moves, one after the other."""
        began = perf_counter()
        for call, move in zip(calls, moves, strict=True):
            try:
                outcomes.append(move if isinstance(move, OpenEnvError) else call(move))
            except (Exception, InputRequired) as error:  # noqa: BLE001  told of that lane alone
                outcomes.append(typed(error, self._mode))
        elapsed = perf_counter() - began
        if elapsed > SLOW_CALL_S and self._lanes:
            any_lane = next(iter(self._lanes.values()))
            any_lane.session.report_slow("step, in one lane or a few,", elapsed)


def unknown(event: str, number: int) -> OpenEnvError:
    """Why there can be no such call for a number that is no lane's."""
    refusal = TABLE[event].unopened
    assert isinstance(refusal, type)
    return refusal(f"No lane {number} on this connection: open lanes first")


def _refuse(refusal: OpenEnvError, move: Any) -> NoReturn:
    raise refusal
