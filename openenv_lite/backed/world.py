"""Environments whose whole state is one value."""

from typing import Generic, TypeVar

__all__ = ["StructBacked"]

WorldT = TypeVar("WorldT")


class StructBacked(Generic[WorldT]):
    """Snapshots of an environment that keeps all it knows in `self.world`, and `self.rng`.

    Write `class Game(StructBacked[World], Environment[Move, Board, State])`, where `World` is a
    msgspec Struct, or any type that an observation may have, and set `self.world` in `reset` or
    `__init__`. What is kept elsewhere is not saved. `world` has no aliases in a snapshot: the
    session encodes it before the next call, and restoring decodes it anew.
    """

    world: WorldT

    def snapshot(self) -> WorldT | None:
        """The world; None where no reset has made one yet."""
        return getattr(self, "world", None)

    def restore(self, saved: WorldT | None) -> None:
        """Take the saved world in the place of the present one."""
        if saved is None:
            vars(self).pop("world", None)
        else:
            self.world = saved
