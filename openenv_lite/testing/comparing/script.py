"""What was asked of one session, judged by asking the same of a session that is alone."""

import enum
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from openenv_lite.errors import CapacityError, OpenEnvError, TransportError
from openenv_lite.testing.sessions.seen import Seen, difference, short

__all__ = ["UNSEEN", "Call", "Script", "outcome_of"]

UNSEEN = object()
"""What is seen of a call whose caller went away before the reply."""


class Call(NamedTuple):
    """One call and what came of it.

    Attributes:
        method: Of `Game`.
        arguments: Its own.
        seen: What it returned, or the error that it raised, or `UNSEEN`.
    """

    method: str
    arguments: tuple[Any, ...]
    seen: Any

    def __str__(self) -> str:
        return f"{self.method}({', '.join(map(short, self.arguments))})"


class _Fate(enum.Enum):
    """What may have become of a call that nobody saw the end of."""

    NOT_MADE = enum.auto()
    MADE = enum.auto()
    COUNTED = enum.auto()
    """It was called off before it did anything, and counts as a step all the same."""


class Script:
    """The calls of one session from a seeded reset on, which decides all that follows.

    Attributes:
        calls: In their order.
        last: The latest observation with all that came with it; None before the first reset.
        risks: Calls that were called off, whether or not their reply came first.
    """

    def __init__(
        self, calls: Sequence[Call] = (), last: Seen | None = None, risks: int = 0
    ) -> None:
        self.calls = [*calls]
        self.last = last
        self.risks = risks

    @property
    def is_over(self) -> bool:
        """Whether the latest observation ended the episode."""
        return self.last is not None and bool(self.last.done)

    def add(self, method: str, arguments: tuple[Any, ...], seen: Any) -> None:
        """Write down a call."""
        self.calls.append(Call(method, arguments, seen))
        if isinstance(seen, Seen):
            self.last = seen

    def copy(self) -> "Script":
        """The same calls so far, for a session that goes its own way from here."""
        return Script(self.calls, self.last, self.risks)

    def refuted(self, alone: Callable[[], Any]) -> str | None:
        """How what was seen differs from what a session shows that is alone; None if it does not.

        Args:
            alone: Makes such a session, a `Game`, which is closed here.

        Raises:
            CapacityError, TransportError: That session was not to be had.
        """
        fault = None
        doubts = sum(call.seen is UNSEEN for call in self.calls)
        for fates in itertools.product(_Fate, repeat=doubts):
            game = alone()
            try:
                fault = self._difference(game, fates)
            finally:
                game.close()
            if fault is None:
                return None
        return fault

    def _difference(self, game: Any, fates: Sequence[_Fate]) -> str | None:
        left = iter(fates)
        surplus = 0
        for number, call in enumerate(self.calls, 1):
            if call.method == "reset":
                surplus = 0
            if call.seen is not UNSEEN:
                found = _apart(_repeated(call, game), call, surplus)
                if found is not None:
                    return f"call {number}, {call}, alone, then among others: {found}"
                continue
            fate = next(left)
            surplus += fate is _Fate.COUNTED
            if fate is _Fate.MADE:
                _repeated(call, game)
        return None


def outcome_of(make: Callable[[], Any]) -> Any:
    """What a call returns, or the typed error that it raises."""
    try:
        return make()
    except OpenEnvError as error:
        return error


def _repeated(call: Call, game: Any) -> Any:
    outcome = outcome_of(lambda: getattr(game, call.method)(*call.arguments))
    if isinstance(outcome, CapacityError | TransportError):  # it proves nothing
        raise outcome
    return outcome


def _apart(alone: Any, call: Call, surplus: int) -> str | None:
    """How two outcomes differ; ids are each session's own."""
    seen = call.seen
    if isinstance(alone, OpenEnvError) or isinstance(seen, OpenEnvError):
        return None if type(alone) is type(seen) else f"{_named(alone)}, then {_named(seen)}"
    if call.method == "state":
        alone, seen = ({**each, "episode_id": None} for each in (alone, seen))
        if surplus:
            alone["step_count"] += surplus
    return difference(alone, seen)


def _named(outcome: Any) -> str:
    if isinstance(outcome, OpenEnvError):
        return f"{type(outcome).__name__} ({outcome.message})"
    return short(outcome)
