"""One lane of a vector client that records: its calls, told in the order they were sent in."""

import uuid
from collections import deque
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, NamedTuple

from openenv_lite.batches import Autoreset
from openenv_lite.errors import ConnectionLostError, OpenEnvError
from openenv_lite.recording.account import Account, Beginning
from openenv_lite.recording.events import (
    Kind,
    Outcome,
    failure,
    is_refusal,
    name_of,
    outcome_of,
    seed_and_options,
)
from openenv_lite.types import StepResult

__all__ = ["LOSS", "Call", "Renewed", "Seat"]

_NEXT_STEP = Autoreset.NEXT_STEP

LOSS = ConnectionLostError("Its reply was not received")


class Renewed(NamedTuple):
    """A step that ended an episode, and the reset after it."""

    last: StepResult[Any]
    first: StepResult[Any] | OpenEnvError


Tell = Callable[[Any, float], None]
"""Told what came of a call in one lane, and in how many seconds."""


class Call:
    """A call in one lane, and what came of it once that is known."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._began = perf_counter()
        self._told: tuple[Any, float] | None = None

    @property
    def is_settled(self) -> bool:
        """Whether it is known what came of it."""
        return self._told is not None

    def settle(self, told: Any) -> None:
        """Now it is known; the first to know is right."""
        self._told = self._told or (told, perf_counter() - self._began)

    def tell(self) -> None:
        """Once it is settled."""
        assert self._told
        self._tell(*self._told)


class Seat:
    """One lane: whose account it is told to, and its calls that are not told yet."""

    def __init__(self, account: Account, autoreset: Autoreset) -> None:
        self._account = account
        self._autoreset = autoreset
        self._calls: deque[Call] = deque()
        self.posted: Call | None = None
        """The call whose result comes with whatever reply is the first to have it."""

    def call(self, tell: Tell) -> Call:
        """A call was sent."""
        made = Call(tell)
        self._calls.append(made)
        return made

    def tell_settled(self) -> None:
        """Tell what is known, up to the first call of which nothing is."""
        while self._calls and self._calls[0].is_settled:
            self._calls.popleft().tell()

    def lose(self) -> None:
        """Of whatever is not known by now nothing will be."""
        for call in self._calls:
            call.settle(LOSS)
        self.tell_settled()

    def reset(self, options: Mapping[str, Any], told: Any, seconds: float) -> None:
        """Tell of a reset."""
        outcome = _outcome(told)
        if outcome is not None:
            episode = str(options.get("episode_id") or uuid.uuid4())
            self._account.begin(Beginning(episode, *seed_and_options(options)), outcome, seconds)

    def step(self, action: str, told: Any, seconds: float) -> None:
        """Tell of a step, or of the reset that came of it."""
        if self._autoreset is _NEXT_STEP and not self._account.is_under_way:
            self.reset({}, told, seconds)
        elif isinstance(told, Renewed):
            self.step(action, told.last, seconds)
            self.reset({}, told.first, 0.0)
        elif (outcome := _outcome(told)) is not None:
            self._account.act(Kind.STEP, action, outcome, seconds)

    def save(self, _: None, told: Any, seconds: float) -> None:
        """Tell of a snapshot, if there is one."""
        if isinstance(told, str):
            self._account.save(name_of(told.encode()), seconds)

    def restore(self, handle: str, told: Any, seconds: float) -> None:
        """Tell that a snapshot took the place of what was."""
        outcome = Outcome() if told is None else _outcome(told)
        if outcome is not None:
            episode = str(uuid.uuid4())
            self._account.restore(name_of(handle.encode()), episode, outcome, seconds)


def _outcome(told: Any) -> Outcome | None:
    """What is to be recorded of it; nothing of what was refused."""
    if isinstance(told, OpenEnvError):
        return None if is_refusal(told) else failure(told)
    return outcome_of(told)
