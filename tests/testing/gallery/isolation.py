"""Mistakes by which one episode reaches another, or a caller the environment."""

import random
from typing import Any, ClassVar

import numpy as np

from openenv_lite import Action, Environment, Observation, State
from tests.testing.gallery.exhibit import Exhibit

__all__ = ["EXHIBITS"]

SIZE = 4


class Mark(Action):
    """A place on the board."""

    place: int


class Route(Action):
    """Places, one after the other."""

    places: list[int]


class Board(Observation):
    """Where the marks are, or whatever else is counted."""

    marks: list[int] = []


class _Marking(Environment[Mark, Board, State]):
    """Marks places; what follows does so with a mistake each."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def reset(self, seed: int | None = None) -> Board:
        self.marks = [0] * SIZE
        return Board(marks=[*self.marks])

    def step(self, action: Mark) -> Board:
        self.marks[action.place % SIZE] += 1
        return Board(marks=[*self.marks], reward=1.0)


class SharesAClassAttribute(_Marking):
    """The list of marks was declared on the class, and nothing makes another one."""

    marks: list[int] = []

    def reset(self, seed: int | None = None) -> Board:
        return Board(marks=[*self.marks])

    def step(self, action: Mark) -> Board:
        self.marks.append(action.place)
        return Board(marks=[*self.marks])


class HasADefaultList(_Marking):
    """The default value of an argument is made once, for all instances."""

    def __init__(self, history: list[int] = []) -> None:  # noqa: B006
        self.history = history

    def step(self, action: Mark) -> Board:
        self.history.append(action.place)
        return Board(marks=[len(self.history)])


_LEVELS: dict[int, list[int]] = {}


class CachesLevels(_Marking):
    """A level is made once for each seed, and then played in place."""

    def reset(self, seed: int | None = None) -> Board:
        number = (seed or 0) % 3
        self.marks = _LEVELS.setdefault(number, [number] * SIZE)
        return Board(marks=[*self.marks])


class SetsAClassAttribute(_Marking):
    """Each reset makes a new list, and puts it on the class."""

    def reset(self, seed: int | None = None) -> Board:
        type(self).marks = [0] * SIZE
        return Board(marks=[*self.marks])


class CountsInstances(_Marking):
    """Who was built later begins further on."""

    built: ClassVar[int] = 0

    def __init__(self) -> None:
        type(self).built += 1
        self.number = self.built

    def reset(self, seed: int | None = None) -> Board:
        super().reset(seed)
        return Board(marks=[self.number])


class ForgetsToClear(_Marking):
    """The marks are made in the constructor, and `reset` leaves them."""

    def __init__(self) -> None:
        self.marks = [0] * SIZE

    def reset(self, seed: int | None = None) -> Board:
        return Board(marks=[0] * SIZE)


class SeedsTheFirstEpisodeOnly(_Marking):
    """Makes its generator where there is none yet."""

    def __init__(self) -> None:
        self.dice: random.Random | None = None

    def reset(self, seed: int | None = None) -> Board:
        super().reset(seed)
        self.dice = self.dice or random.Random(seed)
        return Board(marks=[self.dice.randrange(1000)])


class RemembersItsBest(_Marking):
    """Tells whether a score is the best one, of all episodes so far."""

    def __init__(self) -> None:
        self.best = 0

    def step(self, action: Mark) -> Board:
        seen = super().step(action)
        is_best = seen.marks[0] > self.best
        self.best = max(self.best, seen.marks[0])
        seen.reward = float(is_best)
        return seen


class ReturnsOneList(_Marking):
    """The board itself is returned, and the next step marks it."""

    def step(self, action: Mark) -> Board:
        self.marks[action.place % SIZE] += 1
        return Board(marks=self.marks)


class ReturnsOneObservation(_Marking):
    """One observation is filled in again and again."""

    def __init__(self) -> None:
        self.seen = Board()

    def step(self, action: Mark) -> Board:
        self.seen.marks = [action.place]
        return self.seen


class ReturnsItsHand(_Marking):
    """The list that is returned is what the next step looks at."""

    def step(self, action: Mark) -> Board:
        self.marks = [*self.marks[1:], sum(self.marks) + action.place]
        return Board(marks=self.marks)


class ReturnsAConstant(_Marking):
    """Every observation holds the same list of the class, and steps look it up."""

    WORTH: ClassVar[list[int]] = [1, 2, 3, 5]

    def step(self, action: Mark) -> Board:
        return Board(marks=self.WORTH, reward=float(sum(self.WORTH)))


class _Routing(Environment[Route, Board, State]):
    """Follows routes; what follows does so with a mistake each."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def reset(self) -> Board:
        self.route: list[int] = []
        return Board()


class EmptiesItsAction(_Routing):
    """Takes the places out of the action, one by one."""

    def step(self, action: Route) -> Board:
        while action.places:
            self.route.append(action.places.pop(0))
        return Board(marks=[*self.route])


class SortsItsAction(_Routing):
    """Puts the places of the action in order, where they are."""

    def step(self, action: Route) -> Board:
        action.places.sort()
        return Board(marks=[*action.places])


class KeepsItsAction(_Routing):
    """The list of an action becomes the state."""

    def step(self, action: Route) -> Board:
        last, self.route = self.route, action.places
        return Board(marks=[len(last), len(self.route)])


class SeedsTheModuleRandom(_Marking):
    """The same episode for each seed, at the cost of everybody else's chance."""

    def reset(self, seed: int | None = None) -> Board:
        super().reset(seed)
        random.seed(seed)
        return Board(marks=[random.randrange(1000)])


class DrawsFromTheModuleRandom(_Marking):
    """Shuffles with the module's own function."""

    def step(self, action: Mark) -> Board:
        places = [*range(SIZE)]
        random.shuffle(places)
        return Board(marks=places)


class SeedsNumPy(_Marking):
    """NumPy has a global generator as well."""

    def reset(self, seed: int | None = None) -> Board:
        super().reset(seed)
        np.random.seed(None if seed is None else seed % 2**32)
        return Board(marks=np.random.randint(0, 9, SIZE).tolist())


def _exhibits(law: str, *kinds: Any) -> list[Exhibit]:
    return [Exhibit(kind, law) for kind in kinds]


EXHIBITS = [
    *_exhibits(
        "instances_share_nothing",
        SharesAClassAttribute,
        HasADefaultList,
        CachesLevels,
        SetsAClassAttribute,
        CountsInstances,
    ),
    *_exhibits(
        "an_episode_leaves_nothing_behind",
        ForgetsToClear,
        SeedsTheFirstEpisodeOnly,
        RemembersItsBest,
    ),
    *_exhibits("what_was_returned_stays_as_it_was", ReturnsOneList, ReturnsOneObservation),
    *_exhibits("what_a_caller_changes_is_its_own", ReturnsItsHand, ReturnsAConstant),
    *_exhibits("actions_are_left_alone", EmptiesItsAction, SortsItsAction),
    *_exhibits("actions_are_not_kept", KeepsItsAction),
    *_exhibits(
        "global_random_is_left_alone",
        SeedsTheModuleRandom,
        DrawsFromTheModuleRandom,
        SeedsNumPy,
    ),
]
