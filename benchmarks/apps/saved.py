"""An environment with a state of 10 KB, as an author would type it, that can be saved."""

import msgspec

from benchmarks.apps.ours import EchoAction
from openenv_lite import Environment, Observation, State, StructBacked

__all__ = ["BYTES", "Saved", "Seen", "World", "world"]

BYTES = 10 * 1024
"""Of the world, in msgpack."""

SIDE, KINDS, BEINGS = 32, 16, 64


class Being(msgspec.Struct):
    name: str
    place: tuple[int, int]
    health: float
    is_awake: bool
    carries: list[str]


class World(msgspec.Struct):
    turn: int
    cells: list[list[int]]
    beings: dict[str, Being]
    told: list[str]


def world() -> World:
    """The same at each call, and `BYTES` long but for a text."""
    made = World(
        turn=0,
        cells=[[row * column % KINDS for column in range(SIDE)] for row in range(SIDE)],
        beings={f"being-{number:02d}": _being(number) for number in range(BEINGS)},
        told=[],
    )
    made.told += ["." * 27] * ((BYTES - len(msgspec.msgpack.encode(made))) // 28)
    return made


def _being(number: int) -> Being:
    carries = ["lamp", "rope", "bread"][: number % 4]
    return Being(f"being-{number:02d}", (number, 2 * number), number / 3, number % 2 == 0, carries)


class Seen(Observation):
    turn: int = 0


class Saved(StructBacked[World], Environment[EchoAction, Seen, State]):
    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def reset(self, seed: int | None = None, episode_id: str | None = None) -> Seen:
        self.world = world()
        return Seen()

    def step(self, action: EchoAction) -> Seen:
        self.world.turn += 1
        return Seen(turn=self.world.turn)
