"""Mistakes that only a crowd shows: what one session ends or looks at is another's."""

from typing import Any, ClassVar

import msgspec

from openenv_lite import State
from tests.testing.gallery.exhibit import Exhibit
from tests.testing.gallery.snapshots import Place, Saved, Turn, Walk

__all__ = ["EXHIBITS"]


class ClosesTheTableOfAll(Walk):
    """Keeps its walks in a table of the class, and clears all of it at the end of one session."""

    table: ClassVar[dict[int, int]] = {}

    def reset(self, seed: int | None = None) -> Place:
        self.table[id(self)] = 0
        return super().reset()

    def step(self, action: Turn) -> Place:
        self.at = self.table.get(id(self), 0)
        place = super().step(action)
        self.table[id(self)] = self.at
        return place

    def restore(self, saved: Saved) -> Any:
        super().restore(saved)
        self.table[id(self)] = saved.at

    def close(self) -> None:
        self.table.clear()


class Score(State):
    """How far one is."""

    at: int = 0


class TellsTheStateOfWhoeverMovedLast(Walk):
    """Remembers the walk that is played in a variable of the class."""

    current: ClassVar[Any] = None

    def seen(self) -> Place:
        TellsTheStateOfWhoeverMovedLast.current = self
        return super().seen()

    def restore(self, saved: Saved) -> Any:
        super().restore(saved)
        TellsTheStateOfWhoeverMovedLast.current = self

    @property
    def state(self) -> Any:
        counted = super().state
        return Score(**msgspec.structs.asdict(counted), at=self.current.at)


EXHIBITS = [
    Exhibit(ClosesTheTableOfAll, "instances_share_nothing"),
    Exhibit(TellsTheStateOfWhoeverMovedLast, "sessions_never_meet"),
]
