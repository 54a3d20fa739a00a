"""Mistakes by which something other than seed and actions decides an episode."""

import itertools
import os
import random
import time
from collections.abc import Callable
from typing import Any, ClassVar

from openenv_lite import Action, Environment, Observation, State, create_app
from tests.testing.gallery.exhibit import Exhibit

__all__ = ["EXHIBITS"]

SIDES = 1000


class Roll(Action):
    """How much to add to the dice."""

    bonus: int = 0


class Rolled(Observation):
    """What the dice show."""

    shown: int = 0
    words: list[str] = []


class _Dice(Environment[Roll, Rolled, State]):
    """Rolls dice as it should; what follows does so with a mistake each."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def reset(self, seed: int | None = None) -> Rolled:
        return self.rolled(0)

    def step(self, action: Roll) -> Rolled:
        return self.rolled(action.bonus)

    def rolled(self, bonus: int) -> Rolled:
        return Rolled(shown=self.draw() + bonus, reward=1.0)

    def draw(self) -> int:
        return self.rng.randrange(SIDES)


class DrawsFromItsOwn(_Dice):
    """Has a generator of its own that nobody seeds."""

    def __init__(self) -> None:
        self.dice = random.Random()

    def draw(self) -> int:
        return self.dice.randrange(SIDES)


class TossesACoinLater(_Dice):
    """Chance without a seed, and seldom."""

    def __init__(self) -> None:
        self.dice = random.SystemRandom()

    def draw(self) -> int:
        return int(self.dice.random() < 0.3)


class TellsTheTime(_Dice):
    """An observation tells when it was made."""

    def draw(self) -> int:
        return time.time_ns()


class GoesByAddress(_Dice):
    """Breaks ties by where objects happen to lie in memory."""

    def draw(self) -> int:
        rivals = {name: object() for name in "abcdef"}
        first = min(rivals, key=lambda name: hash(rivals[name]))
        return ord(first) + id(self) // 16 % SIDES


class IgnoresSeedZero(_Dice):
    """Takes the seed 0 for none."""

    def reset(self, seed: int | None = None) -> Rolled:
        self.rng.seed(seed or None)
        return self.rolled(0)


class RandomWithoutASeed(_Dice):
    """A reset without a seed makes a generator that nothing has seeded."""

    def reset(self, seed: int | None = None) -> Rolled:
        self.dice = random.Random(seed)
        return self.rolled(0)

    def draw(self) -> int:
        return self.dice.randrange(SIDES)


class ForgetsTheSeed(_Dice):
    """A reset without a seed begins by the clock."""

    def reset(self, seed: int | None = None) -> Rolled:
        if seed is None:
            self.rng.seed(time.time_ns())
        return self.rolled(0)


class HasOneSeed(_Dice):
    """Any seed is taken for the same."""

    def reset(self, seed: int | None = None) -> Rolled:
        if seed is not None:
            self.rng.seed(42)
        return self.rolled(0)


class TakesTheSeedForAFlag(_Dice):
    """Seeds by whether there is a seed."""

    def __init__(self) -> None:
        self.dice = random.Random()

    def reset(self, seed: int | None = None) -> Rolled:
        if seed is not None:
            self.dice.seed(seed is not None)
        return self.rolled(0)

    def draw(self) -> int:
        return self.dice.randrange(SIDES)


class HashesAText(_Dice):
    """The hash of a text is another one in each process."""

    def draw(self) -> int:
        return hash("north") % SIDES


class TakesASetsOrder(_Dice):
    """The order of a set of texts is another one in each process."""

    def rolled(self, bonus: int) -> Rolled:
        return Rolled(words=[*{"north", "east", "south", "west", "up", "down"}])


class ChoosesFromASet(_Dice):
    """A seeded choice from a list whose order is a set's."""

    def rolled(self, bonus: int) -> Rolled:
        return Rolled(words=[self.rng.choice([*{f"card {n}" for n in range(52)}])])


class SeedsByProcess(_Dice):
    """Adds the id of the process to the seed, for workers that are to differ."""

    def reset(self, seed: int | None = None) -> Rolled:
        self.rng.seed((seed or 0) + os.getpid())
        return self.rolled(0)


class HandsOutThreeTables(_Dice):
    """Three tables are handed out by turns, so that the fourth instance sits at the first one."""

    tables: ClassVar[list[list[int]]] = [[], [], []]
    turns: ClassVar["itertools.count[int]"] = itertools.count()

    def __init__(self) -> None:
        self.table = self.tables[next(self.turns) % 3]

    def reset(self, seed: int | None = None) -> Rolled:
        self.table[:] = [self.rng.randrange(SIDES)]
        return Rolled(shown=self.table[0])

    def draw(self) -> int:
        return self.table[0]


class _OneTable(_Dice):
    """Every reset lays a new table, and there is one table."""

    table: ClassVar[int] = 0

    def reset(self, seed: int | None = None) -> Rolled:
        type(self).table = self.rng.randrange(SIDES)
        return Rolled(shown=self.table)

    def draw(self) -> int:
        return self.table


def one_table_for_all() -> Any:
    """A server, whose class nobody sees."""
    return create_app(_OneTable)


class _Unseeded(_Dice):
    """Draws from what the system gives."""

    def draw(self) -> int:
        return random.SystemRandom().randrange(SIDES)


def a_server_of_chance() -> Any:
    """A server that listens to no seed."""
    return create_app(_Unseeded)


def _exhibits(law: str, *kinds: Callable[[], Any]) -> list[Exhibit]:
    return [Exhibit(kind, law) for kind in kinds]


EXHIBITS = [
    *_exhibits(
        "same_seed_same_episode",
        DrawsFromItsOwn,
        TossesACoinLater,
        TellsTheTime,
        GoesByAddress,
        IgnoresSeedZero,
    ),
    *_exhibits("unseeded_resets_follow_the_seed", RandomWithoutASeed, ForgetsTheSeed),
    *_exhibits("seeds_make_a_difference", HasOneSeed, TakesTheSeedForAFlag),
    *_exhibits(
        "other_processes_agree", HashesAText, TakesASetsOrder, ChoosesFromASet, SeedsByProcess
    ),
    *_exhibits("lanes_play_as_single_sessions_do", HandsOutThreeTables),
    Exhibit(one_table_for_all, "other_sessions_change_nothing", is_app=True),
    Exhibit(a_server_of_chance, "same_seed_same_episode", is_app=True),
]
