"""Mistakes with snapshots: what they forget, what they change, and what they only point to."""

import copy
import random
import threading
from typing import Any, ClassVar

import msgspec
import numpy as np

from openenv_lite import Action, Environment, Observation, State
from tests.testing.gallery.exhibit import Exhibit

__all__ = ["EXHIBITS", "Walk"]

LIMIT = 20


class Turn(Action):
    """How far to go."""

    by: int


class Place(Observation):
    """Where one is, and how one came there."""

    at: int
    trail: list[int]
    luck: float


class Saved(msgspec.Struct):
    """All there is of a walk beside the generator."""

    at: int
    trail: list[int]


class Walk(Environment[Turn, Place, State]):
    """Sound; each exhibit spoils one thing of it."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def __init__(self) -> None:
        self.at = 0
        self.trail: list[int] = []

    def reset(self, seed: int | None = None) -> Place:
        self.at, self.trail = 0, []
        return self.seen()

    def step(self, action: Turn) -> Place:
        self.at += action.by
        self.trail.append(action.by)
        return self.seen()

    def seen(self) -> Place:
        over = abs(self.at) > LIMIT
        return Place(at=self.at, trail=[*self.trail], luck=self.luck(), done=over)

    def luck(self) -> float:
        return self.rng.random()

    def snapshot(self) -> Any:
        return Saved(self.at, self.trail)

    def restore(self, saved: Saved) -> Any:
        self.at, self.trail = saved.at, saved.trail


class ForgetsItsGenerator(Walk):
    """Throws dice of its own, and saves the walk alone."""

    def __init__(self) -> None:
        super().__init__()
        self.dice = random.Random()

    def reset(self, seed: int | None = None) -> Place:
        if seed is not None:
            self.dice.seed(seed)
        return super().reset()

    def luck(self) -> float:
        return self.dice.random()


class ForgetsItsNumPyGenerator(Walk):
    """The same with NumPy's, which a seed makes anew."""

    def __init__(self) -> None:
        super().__init__()
        self.dice = np.random.default_rng()

    def reset(self, seed: int | None = None) -> Place:
        if seed is not None:
            self.dice = np.random.default_rng(seed)
        return super().reset()

    def luck(self) -> float:
        return float(self.dice.random())


class DrawsWhileItSaves(Walk):
    """Marks each snapshot with a random number."""

    def snapshot(self) -> Any:
        self.mark = self.rng.random()
        return Saved(self.at, self.trail)


class EmptiesItselfIntoTheSnapshot(Walk):
    """Hands its list out and begins another."""

    def snapshot(self) -> Any:
        saved = Saved(self.at, self.trail)
        self.trail = []
        return saved


class ForgetsAField(Walk):
    """Restores where it is and not how it came there."""

    def restore(self, saved: Saved) -> Any:
        self.at = saved.at


class SavesASetAsAnything(Walk):
    """Names no type, so that its set comes back as a list."""

    def __init__(self) -> None:
        super().__init__()
        self.been: set[int] = set()

    def reset(self, seed: int | None = None) -> Place:
        self.been = set()
        return super().reset()

    def step(self, action: Turn) -> Place:
        self.been.add(action.by)
        return super().step(action)

    def snapshot(self) -> Any:
        return {"at": self.at, "trail": self.trail, "been": self.been}

    def restore(self, saved: Any) -> Any:
        self.at, self.trail, self.been = saved["at"], saved["trail"], saved["been"]


class Progress(State):
    """A state that counts by itself."""

    turns: int = 0


class ForgetsWhatItsStateTells(Walk):
    """Counts turns for `state`, and does not save the count."""

    turns = 0

    def reset(self, seed: int | None = None) -> Place:
        self.turns = 0
        return super().reset()

    def step(self, action: Turn) -> Place:
        self.turns += 1
        return super().step(action)

    @property
    def state(self) -> Any:
        counted = super().state
        return Progress(**msgspec.structs.asdict(counted), turns=self.turns)


class AddsToWhatIsThere(Walk):
    """Puts the saved steps behind those that it has."""

    def restore(self, saved: Saved) -> Any:
        self.at = saved.at
        self.trail += saved.trail


class KeepsItsCache(Walk):
    """Remembers the sum of its steps, also those of a walk that is none any more."""

    def __init__(self) -> None:
        super().__init__()
        self.sums: dict[int, int] = {}

    def reset(self, seed: int | None = None) -> Place:
        self.sums = {}
        return super().reset()

    def seen(self) -> Place:
        place = super().seen()
        place.at = self.sums.setdefault(len(self.trail), place.at)
        return place


class StaysOver(Walk):
    """Has a flag of its own for the end, which a restore does not take back."""

    over = False

    def reset(self, seed: int | None = None) -> Place:
        self.over = False
        return super().reset()

    def seen(self) -> Place:
        place = super().seen()
        self.over = place.done = self.over or place.done
        return place


class Keeps(Walk):
    """Not on show itself: its snapshots are numbers of what the class keeps."""

    kept: ClassVar[dict[int, Saved]] = {}

    def snapshot(self) -> int:
        number = len(self.kept)
        self.kept[number] = copy.deepcopy(Saved(self.at, self.trail))
        return number


class SharesOneListAmongForks(Keeps):
    """Every fork goes on with the very list that was kept."""

    kept: ClassVar[dict[int, Saved]] = {}

    def restore(self, saved: int) -> Any:  # type: ignore[override]
        self.at, self.trail = self.kept[saved].at, self.kept[saved].trail


class RestoresOnce(Keeps):
    """Takes what was kept out of the table."""

    kept: ClassVar[dict[int, Saved]] = {}
    count: ClassVar[int] = 0

    def snapshot(self) -> int:
        type(self).count += 1
        self.kept[self.count] = copy.deepcopy(Saved(self.at, self.trail))
        return self.count

    def restore(self, saved: int) -> Any:  # type: ignore[override]
        kept = self.kept.pop(saved)
        self.at, self.trail = kept.at, kept.trail


class PointsIntoItsProcess(Keeps):
    """Each fork gets a list of its own, but from a table that no other process has."""

    kept: ClassVar[dict[int, Saved]] = {}

    def restore(self, saved: int) -> Any:  # type: ignore[override]
        self.at, self.trail = self.kept[saved].at, [*self.kept[saved].trail]


class SavesTextForNumbers(Walk):
    """Says that it saves numbers."""

    def snapshot(self) -> dict[str, int]:
        trail: Any = ",".join(map(str, self.trail))
        return {"at": self.at, "trail": trail}

    def restore(self, saved: Any) -> Any:
        self.at, self.trail = saved["at"], [int(each) for each in saved["trail"].split(",")]


class NeedsAResetFirst(Walk):
    """Restores into a list that only a reset makes."""

    def __init__(self) -> None:
        self.at = 0

    def restore(self, saved: Saved) -> Any:
        self.at = saved.at
        self.trail[:] = saved.trail


class SavesALock(Walk):
    """Saves all its attributes, whatever they are."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    def snapshot(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "rng"}

    def restore(self, saved: Any) -> Any:
        vars(self).update(saved)


class FindsNothingToSaveAtFirst(Walk):
    """Saves the latest step, which is not there right after a reset."""

    def snapshot(self) -> Any:
        latest = self.trail[-1]
        return Saved(self.at, [*self.trail[:-1], latest])


EXHIBITS = [
    Exhibit(SavesALock, "snapshots_can_be_taken"),
    Exhibit(FindsNothingToSaveAtFirst, "snapshots_can_be_taken"),
    Exhibit(SavesTextForNumbers, "snapshots_fit_their_type"),
    Exhibit(DrawsWhileItSaves, "snapshots_change_nothing"),
    Exhibit(EmptiesItselfIntoTheSnapshot, "snapshots_change_nothing"),
    Exhibit(NeedsAResetFirst, "snapshots_can_be_restored"),
    Exhibit(ForgetsItsGenerator, "generators_go_on_after_a_restore"),
    Exhibit(ForgetsItsNumPyGenerator, "generators_go_on_after_a_restore"),
    Exhibit(ForgetsWhatItsStateTells, "restored_state_is_the_saved_one"),
    Exhibit(ForgetsAField, "restored_environments_have_the_same_future"),
    Exhibit(SavesASetAsAnything, "restored_environments_have_the_same_future"),
    Exhibit(AddsToWhatIsThere, "restore_replaces_everything"),
    Exhibit(KeepsItsCache, "restore_replaces_everything"),
    Exhibit(StaysOver, "restore_replaces_everything"),
    Exhibit(RestoresOnce, "restores_can_be_repeated"),
    Exhibit(SharesOneListAmongForks, "forks_are_independent"),
    Exhibit(PointsIntoItsProcess, "snapshots_survive_their_process"),
]
