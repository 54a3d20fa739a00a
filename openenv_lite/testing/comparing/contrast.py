"""One episode under two circumstances: whether it is these that change it, or chance."""

import functools
import weakref
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from typing import NamedTuple

from openenv_lite.testing.law import Unmet, Violation
from openenv_lite.testing.sessions.performing import Outcome, Part, perform, written
from openenv_lite.testing.sessions.seen import difference
from openenv_lite.testing.subject import Subject
from openenv_lite.testing.trial import Episode, Trial

__all__ = ["Staging", "by_turns", "contrast", "explored", "here", "parts_of", "whole"]

REPEATS = 10
"""How often both must come out as they should. A coin is taken for a cause once in 2**20 times."""

AGAIN = 2
"""As often, once that was so: what follows is to be small, and no more to be proved."""

_CONVINCED = weakref.WeakKeyDictionary[Subject, set[str]]()
"""By target: the circumstances that were found to act."""

MOST_ACTIONS = 6
"""Of an episode that is played several times."""

Play = Callable[[Sequence[Part]], list[Outcome]]


class Staging(NamedTuple):
    """How an episode is played.

    Attributes:
        play: Makes the calls.
        parts: All calls.
        session: The one whose last calls are the episode.
    """

    play: Play
    parts: list[Part]
    session: int = 0

    def episode(self, outcomes: list[Outcome], length: int) -> list[Outcome]:
        """What the episode showed.

        Args:
            outcomes: Of all parts.
            length: Of the episode: its reset and its steps.
        """
        shown = [
            outcome
            for part, outcome in zip(self.parts, outcomes, strict=True)
            if part.session == self.session and part.call in ("reset", "step", "lend")
        ]
        return shown[-length:]

    def shows(self, length: int) -> list[Outcome]:
        """Play it, and what the episode showed."""
        return self.episode(self.play(self.parts), length)


def here(trial: Trial) -> Play:
    """What makes calls of new sessions in this process, or on the server."""
    return functools.partial(perform, trial.subject.open)


def explored(trial: Trial) -> Episode:
    """An episode of drawn actions in a session of its own, which has ended."""
    player = trial.open()
    episode = trial.explore(player, trial.seed(), most=MOST_ACTIONS)
    player.close()
    return episode


def parts_of(session: int, episode: Episode) -> list[Part]:
    """The calls that play an episode in an open session."""
    steps = [Part(session, "step", action) for action in episode.actions]
    return [Part(session, "reset", episode.seed), *steps]


def whole(session: int, episode: Episode) -> list[Part]:
    """The calls that play an episode in a session of its own."""
    return [Part(session, "open"), *parts_of(session, episode), Part(session, "close")]


def by_turns(*each: Iterable[Part]) -> list[Part]:
    """One call of each, then the next of each."""
    return [part for row in zip_longest(*each) for part in row if part is not None]


def contrast(trial: Trial, alone: Staging, otherwise: Staging, what: str) -> None:
    """Play an episode alone and otherwise.

    Args:
        trial: Its lines become those of `otherwise`, if that is what breaks the law.
        alone: A new session, the episode, and nothing else.
        otherwise: The circumstances that should change nothing.
        what: Names them.

    Raises:
        Violation: It comes out alike each time it is alone, and never so otherwise.
        Unmet: It differs by chance.
    """
    length = sum(part.call in ("reset", "step") for part in alone.parts)
    first = alone.shows(length)
    outcomes = otherwise.play(otherwise.parts)
    other = otherwise.episode(outcomes, length)
    if first == other:
        return
    convinced = _CONVINCED.setdefault(trial.subject, set())
    for _ in range(AGAIN if what in convinced else REPEATS):
        if alone.shows(length) != first:
            raise Unmet("episodes that come out alike")
        if otherwise.shows(length) == first:
            raise Unmet("circumstances that act each time")
    convinced.add(what)
    trial.lines[:] = written(otherwise.parts, outcomes, trial.subject.expression)
    raise Violation(f"{what}, {_first_difference(first, other)}")


def _first_difference(one: list[Outcome], other: list[Outcome]) -> str:
    pairs = zip(one, other, strict=True)
    number, left, right = next(
        (number, left, right) for number, (left, right) in enumerate(pairs) if left != right
    )
    where = f"step {number}" if number else "the reset"
    if "error" in right:
        return f"{where} raises {right['error']}"
    return f"{where}: {difference(left, right)}"
