"""What a model's message led to: the outcomes of the tool calls in it."""

from collections.abc import Iterable
from typing import NamedTuple

from openenv_lite.errors import InvalidArgumentsError
from openenv_lite.trainers.episodes import Episodes
from openenv_lite.trainers.outcome import Outcome, failure
from openenv_lite.trainers.spoken import Call, calls_in

__all__ = ["Turn", "carried_out", "play"]


class Turn(NamedTuple):
    """The outcomes of the calls that were made, in their order."""

    outcomes: list[Outcome]

    @property
    def reward(self) -> float:
        """The sum of the rewards; 0 where none was given."""
        return sum((float(each.reward or 0) for each in self.outcomes), 0.0)

    @property
    def done(self) -> bool:
        """The episode is over."""
        return any(each.done for each in self.outcomes)

    @property
    def truncated(self) -> bool:
        """The episode was cut off."""
        return any(each.truncated for each in self.outcomes)

    @property
    def mistakes(self) -> int:
        """How many calls the model was told an error of."""
        return sum(each.is_error for each in self.outcomes)


def play(episodes: Episodes, text: str) -> Turn:
    """Carry out the calls in what a model said; a text without any is answered by how to write one.

    Raises:
        OpenEnvError: Whatever is not the model's to mend.
    """
    try:
        calls = calls_in(text)
    except InvalidArgumentsError as error:
        return Turn([failure(error)])
    return carried_out(episodes, calls)


def carried_out(episodes: Episodes, calls: Iterable[Call]) -> Turn:
    """Carry out calls one after another, until the end of the episode.

    Raises:
        OpenEnvError: Whatever is not the model's to mend.
    """
    outcomes: list[Outcome] = []
    for call in calls:
        outcomes.append(episodes.call(call.name, call.arguments))
        if outcomes[-1].done:
            break
    return Turn(outcomes)
