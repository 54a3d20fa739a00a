"""What tests of recordings share: an environment with luck in it, and files told without times."""

from pathlib import Path
from typing import Any, ClassVar

import msgspec

from openenv_lite import Action, Environment, Observation, State

__all__ = ["Await", "Dice", "Guess", "Loaded", "Seen", "Thread", "events", "told"]

LAST = 4


class Guess(Action):
    number: int


class Seen(Observation):
    rolled: list[int] = []


class Dice(Environment[Guess, Seen, State]):
    """Rolls the base class's generator; on the event loop. Done after `LAST` steps."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING: ClassVar[bool] = False
    SIDES: ClassVar[int] = 6

    def __init__(self) -> None:
        self.rolled: list[int] = []

    def reset(self, seed: int | None = None, start: int = 0) -> Any:
        self.rolled = [start]
        return Seen(rolled=self.rolled, metadata={"first": self.rng.random()})

    def step(self, action: Guess) -> Any:
        if action.number < 0:
            raise ValueError(f"no such side: {action.number}")
        self.rolled.append(self.rng.randrange(self.SIDES))
        hit = self.rolled[-1] == action.number
        return Seen(rolled=self.rolled, reward=hit, done=len(self.rolled) > LAST)

    def snapshot(self) -> list[int]:
        return self.rolled

    def restore(self, saved: list[int]) -> None:
        self.rolled = saved


class Thread(Dice):
    """The same on a thread."""

    BLOCKING = True


class Await(Dice):
    """The same, async."""

    async def reset(self, seed: int | None = None, start: int = 0) -> Any:
        return super().reset(seed, start)

    async def step(self, action: Guess) -> Any:
        return super().step(action)


class Loaded(Dice):
    """Dice that show something else in the end."""

    def step(self, action: Guess) -> Any:
        seen = super().step(action)
        shown = [*seen.rolled[:3], *([9] * len(seen.rolled[3:]))]
        return Seen(rolled=shown, reward=seen.reward, done=seen.done)


def events(folder: Path) -> list[dict[str, Any]]:
    """All lines of all files, as plain values."""
    texts = [path.read_bytes() for path in sorted(folder.glob("*.jsonl"))]
    return [msgspec.json.decode(line) for text in texts for line in text.splitlines()]


def told(folder: Path, *names: str) -> list[tuple[Any, ...]]:
    """Some fields of each line."""
    return [tuple(event[name] for name in names) for event in events(folder)]
