"""What is saved of an environment beside what its author saves, so that nobody can forget it."""

import random
import struct
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from openenv_lite.environment import Environment
from openenv_lite.protocol import CLOSED, Phase
from openenv_lite.types import State

__all__ = ["Moment", "moment_of", "take_up"]

_words = struct.Struct("<625I")
_place = struct.Struct("<I")
_LAST_PLACE = 624
"""Of the number that a generator gives next among its words; it is the last of them itself."""

_FORM = 3
"""Of the state of Python's generator, since Python 3.2."""


class _Generator(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    """The state of a `random.Random`, in a sixth of the bytes that its numbers would take."""

    words: Annotated[bytes, Meta(min_length=_words.size, max_length=_words.size)]
    gauss_next: float | None

    def __post_init__(self) -> None:
        """Refuse what no generator would take, before anything is restored from it."""
        (place,) = _place.unpack_from(self.words, _words.size - _place.size)
        if place > _LAST_PLACE:
            raise ValueError("no state of a generator")


class Moment(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    """Where an episode stands; `attributes` are those set on the base class's state."""

    phase: Phase
    episode_id: str | None
    step_count: int
    attributes: dict[str, Any]
    generator: _Generator | None

    def __post_init__(self) -> None:
        """Refuse what is of no environment that lives."""
        if self.phase is CLOSED:
            raise ValueError("nothing is left of an environment that is closed")


def moment_of(environment: Any, phase: Phase, counted: State) -> Moment:
    """What is to be saved now.

    Args:
        environment: Of which nothing else runs meanwhile.
        phase: Its episode's.
        counted: The state in which the runtime counts for its author.
    """
    episode, steps = counted.episode_id, counted.step_count
    return Moment(phase, episode, steps, vars(counted), _generator_of(environment))


def take_up(moment: Moment, environment: Any) -> State:
    """Put the environment back to a moment; the state in which to count from now on."""
    counted = State(episode_id=moment.episode_id, step_count=moment.step_count)
    vars(counted).update(moment.attributes)
    if isinstance(environment, Environment):
        environment.begin(None, counted)
        _set_generator(environment, moment.generator)
    return counted


def _generator_of(environment: Any) -> _Generator | None:
    """None where the author has another kind of generator, whose state is the author's to save."""
    if not isinstance(environment, Environment) or type(environment.rng) is not random.Random:
        return None
    _, words, gauss_next = environment.rng.getstate()
    return _Generator(_words.pack(*words), gauss_next)


def _set_generator(environment: Environment[Any, Any, Any], saved: _Generator | None) -> None:
    if saved is not None and type(environment.rng) is random.Random:
        environment.rng.setstate((_FORM, _words.unpack(saved.words), saved.gauss_next))
