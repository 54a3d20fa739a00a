"""Two servers to be graded: one that keeps the contract, and one that ignores its seed."""

import random
from typing import Annotated, Any

from msgspec import Meta

from openenv_lite import Action, Environment, Observation, State, create_app
from tests.interop.serving import serve


class Bet(Action):
    """On the sum of two dice."""

    total: Annotated[int, Meta(ge=2, le=12)]


class Dice(Observation):
    """What was thrown last."""

    thrown: list[int] = []


class Sound(Environment[Bet, Dice, State]):
    """Five throws of two dice from the generator that a reset seeds."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def reset(self) -> Dice:
        self._throws = 0
        self._dice = self._generator()
        return Dice()

    def _generator(self) -> random.Random:
        return self.rng

    def step(self, action: Bet) -> Dice:
        self._throws += 1
        thrown = [self._dice.randint(1, 6), self._dice.randint(1, 6)]
        won = sum(thrown) == action.total
        return Dice(thrown=thrown, reward=float(won), done=self._throws == 5)


class Unseeded(Sound):
    """Draws from a generator of its own."""

    def _generator(self) -> random.Random:
        return random.Random()


def app(kind: Any) -> Any:
    return create_app(kind, max_concurrent_envs=64)


if __name__ == "__main__":
    serve({"sound": app(Sound), "unseeded": app(Unseeded)})
