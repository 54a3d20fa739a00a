"""What an agent does, what it sees, and what it does not see."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from openenv_lite import Action, Observation, State

__all__ = ["HIGHEST", "Guess", "Hint", "Secret", "World"]

HIGHEST = 100


class Guess(Action):
    """Guess the number."""  # which agents are told, as they are of the bounds

    number: Annotated[int, Meta(ge=1, le=HIGHEST)]


class Hint(Observation):
    """What the agent sees."""

    hint: Literal["guess", "higher", "lower", "found"]
    guesses_left: int


class World(Struct):
    """All that the game knows; snapshots hold this."""

    secret: int = 1
    guesses_left: int = 0


class Secret(State):
    """What only the trainer sees."""

    secret: int = 1
