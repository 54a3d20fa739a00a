"""A game of one action, with a first observation to be shown and a secret that is not."""

import threading
from typing import Any, ClassVar

from openenv_lite import Action, Environment, Observation, State
from tests.server.serving import Served

__all__ = ["Guess", "Guessing", "Hint", "call", "emptied"]

HIGHEST = 9


class Guess(Action):
    """Guess the number."""

    number: int


class Hint(Observation):
    """What is known of the number."""

    hint: str = ""


class Guessing(Environment[Guess, Hint, State]):
    """A hit is worth 1 and ends the episode; a miss costs a tenth. `open` counts the instances."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False
    open: ClassVar[int] = 0

    def __init__(self) -> None:
        type(self).open += 1

    def reset(self, secret: int | None = None) -> Any:
        self.secret = self.rng.randint(0, HIGHEST) if secret is None else secret
        return Hint(hint=f"The number is from 0 to {HIGHEST}.", metadata={"secret": self.secret})

    def step(self, action: Guess) -> Any:
        if action.number == self.secret:
            return Hint(hint="That is it.", reward=1.0, done=True)
        way = "higher" if action.number < self.secret else "lower"
        return Hint(hint=f"It is {way}.", reward=-0.1, metadata={"secret": self.secret})

    def close(self) -> None:
        type(self).open -= 1


def call(number: Any, name: str = "guess") -> str:
    """What a model says to guess."""
    return f'<tool_call>{{"name": "{name}", "arguments": {{"number": {number}}}}}</tool_call>'


def emptied(server: Served) -> None:
    """Wait until the server has no session; it ends them just after a client has gone."""
    pause = threading.Event()
    for _ in range(1000):
        if server.statistics.active == 0:
            return
        pause.wait(0.005)
    raise AssertionError(f"sessions are left: {server.statistics}")
