"""The game's rules."""

from typing import Literal

from openenv_lite import Environment, StructBacked

try:
    from ..models import HIGHEST, Guess, Hint, Secret, World
except ImportError:  # in the container this folder is no package
    from models import HIGHEST, Guess, Hint, Secret, World

__all__ = ["MyEnvironment"]

GUESSES = 7


class MyEnvironment(StructBacked[World], Environment[Guess, Hint, Secret]):
    """Guess a number; each wrong guess tells where to look."""

    SUPPORTS_CONCURRENT_SESSIONS = True  # instances share nothing
    BLOCKING = False  # a step takes microseconds: no thread for it

    def __init__(self) -> None:
        self.world = World()

    def reset(self) -> Hint:
        """Hide another number; the base class has seeded `self.rng`."""
        self.world = World(secret=self.rng.randint(1, HIGHEST), guesses_left=GUESSES)
        return Hint(hint="guess", guesses_left=GUESSES)

    def step(self, action: Guess) -> Hint:
        """Compare a guess with the number; the last guess ends the episode."""
        world = self.world
        world.guesses_left -= 1
        left = world.guesses_left
        if action.number == world.secret:
            return Hint(hint="found", guesses_left=left, reward=1.0, done=True)
        hint: Literal["higher", "lower"] = "higher" if action.number < world.secret else "lower"
        return Hint(hint=hint, guesses_left=left, reward=0.0, done=left == 0)

    @property
    def state(self) -> Secret:
        """For the trainer only: the base class's count, and the number."""
        counted = super().state
        return Secret(
            episode_id=counted.episode_id,
            step_count=counted.step_count,
            secret=self.world.secret,
        )
