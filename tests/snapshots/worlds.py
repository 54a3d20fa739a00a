"""Environments that can be saved: the same game on the loop, on a thread, async, and as tools."""

from typing import Any, ClassVar

import msgspec

from openenv_lite import Environment, MCPEnvironment, Observation, State
from tests.environments import Add

__all__ = [
    "KINDS",
    "AwaitingWalk",
    "Drawn",
    "Kit",
    "Moving",
    "ThreadedWalk",
    "Unsaved",
    "Walk",
    "World",
]


class Drawn(Observation):
    """Where the walk stands, and what was drawn."""

    total: int = 0
    path: list[int] = []
    draw: float = 0.0


class World(msgspec.Struct):
    """All that a walk knows, but for its generator."""

    total: int = 0
    path: list[int] = []
    seen: dict[tuple[int, int], str] = {}


class Moving:
    """A walk with chance in it, over at a total of 9. A negative amount raises."""

    SUPPORTS_CONCURRENT_SESSIONS: ClassVar[bool] = True
    alive: ClassVar[int] = 0
    rng: Any
    state: Any

    def __init__(self) -> None:
        Moving.alive += 1
        self.world = World()

    def begin_walk(self, start: int = 0) -> Drawn:
        self.world = World(start, [start])
        return self.drawn()

    def walk(self, action: Add) -> Drawn:
        if action.amount < 0:
            raise ValueError("a step back")
        self.world.total += action.amount + self.rng.randint(0, 2)
        self.world.path.append(self.world.total)
        self.world.seen[self.world.total, len(self.world.path)] = "x"
        self.state.mood = f"after {self.world.total}"
        return self.drawn()

    def drawn(self) -> Drawn:
        world = self.world
        return Drawn(
            total=world.total,
            path=[*world.path],
            draw=self.rng.gauss(0, 1),
            reward=world.total / 10,
            done=world.total >= 9,
        )

    def put_back(self, saved: World) -> None:
        if saved.total == -100:
            self.world = saved
            raise ValueError("not from there")
        self.world = saved

    def close(self) -> None:
        Moving.alive -= 1


class Walk(Moving, Environment[Add, Drawn, State]):
    """On the event loop."""

    BLOCKING: ClassVar[bool] = False

    def reset(self, start: int = 0) -> Any:
        return self.begin_walk(start)

    def step(self, action: Add) -> Any:
        return self.walk(action)

    def snapshot(self) -> World:
        return self.world

    def restore(self, saved: World) -> None:
        self.put_back(saved)


class ThreadedWalk(Walk):
    """On a thread of its own."""

    BLOCKING = True


class AwaitingWalk(Moving, Environment[Add, Drawn, State]):
    """Async."""

    async def reset(self, start: int = 0) -> Any:
        return self.begin_walk(start)

    async def step(self, action: Add) -> Any:
        return self.walk(action)

    async def snapshot(self) -> World:
        return self.world

    async def restore(self, saved: World) -> None:
        self.put_back(saved)


KINDS = [Walk, ThreadedWalk, AwaitingWalk]


class Unsaved(Moving, Environment[Add, Drawn, State]):
    """It offers no snapshots."""

    BLOCKING: ClassVar[bool] = False

    def reset(self) -> Any:
        return self.begin_walk()

    def step(self, action: Add) -> Any:
        return self.walk(action)


class Kit(MCPEnvironment):
    """Tools that remember; what they remember can be saved."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        self.notes: list[str] = []

        @self.tool
        def note(text: str) -> list[str]:
            """Write a note."""
            self.notes.append(f"{text} {self.rng.random()}")
            return self.notes

    def reset(self) -> Any:
        self.notes = []
        return Observation()

    def snapshot(self) -> list[str]:
        return self.notes

    def restore(self, saved: list[str]) -> None:
        self.notes = saved
