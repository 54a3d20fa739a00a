"""A number is hidden by the environment's own generator, and guessed once."""

from typing import Annotated

from msgspec import Meta

from openenv_lite import Action, Environment, Observation, State

__all__ = ["Hiding"]


class Guess(Action):
    number: Annotated[int, Meta(ge=1, le=100)]


class Hiding(Environment[Guess, Observation, State]):
    def reset(self) -> Observation:
        self.secret = self.rng.randint(1, 100)
        return Observation()

    def step(self, action: Guess) -> Observation:
        return Observation(reward=float(action.number == self.secret), done=True)
