"""Environments that do what they promise and yet are hard to judge. None may break a law."""

import asyncio
import functools
import sqlite3
import time
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypedDict

import msgspec
import numpy as np
from echo_env.server.echo_environment import EchoEnvironment
from gym_env.server.gym_environment import environment
from hypothesis import strategies as st

from openenv_lite import (
    Action,
    Environment,
    MCPEnvironment,
    Observation,
    SQLiteBacked,
    State,
    StructBacked,
)
from openenv_lite.testing.legal import Narrowing
from openenv_lite.testing.sessions.seen import Seen

__all__ = ["SOUND", "Sound"]


class Sound(NamedTuple):
    """An environment without fault, and its legal actions if its types allow more."""

    target: Callable[[], Any]
    actions: Narrowing = None

    @property
    def name(self) -> str:
        """Of the class or function."""
        return self.target.__name__


class Push(Action):
    """How hard to push."""

    force: float = 0.0


class Seen2D(Observation):
    """Where something is."""

    place: list[float] = []


class _Pushing(Environment[Push, Seen2D, State]):
    """Something that is pushed about, on the event loop."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING: ClassVar[bool] = False

    def reset(self, seed: int | None = None) -> Seen2D:
        self.place = [0.0, 0.0]
        return self.seen()

    def step(self, action: Push) -> Seen2D:
        self.place[0] += _tame(action.force)
        return self.seen(reward=-abs(self.place[0]))

    def seen(self, **told: Any) -> Seen2D:
        return Seen2D(place=[*self.place], **told)


def _tame(force: float) -> float:
    return max(-1.0, min(1.0, force))


class Endless(_Pushing):
    """Episodes without end, and nothing random."""


class BigPicture(_Pushing):
    """200 KB are seen at each step."""

    def seen(self, **told: Any) -> Seen2D:
        return Seen2D(place=[self.place[0] + n / 7 for n in range(12_000)], **told)


class LongSums(_Pushing):
    """Floats whose last digit depends on the order of many additions."""

    def step(self, action: Push) -> Seen2D:
        total = 0.0
        for number in range(300):
            total += _tame(action.force) / (number + 3) + self.rng.gauss(0.0, 1e-9)
        self.place[1] += total
        return self.seen(reward=total * 1e-12)


class Stochastic(_Pushing):
    """Each step draws, and an episode may end at any of them."""

    def reset(self, seed: int | None = None) -> Seen2D:
        super().reset(seed)
        self.place[1] = self.rng.random()
        return self.seen()

    def step(self, action: Push) -> Seen2D:
        self.place[1] = self.rng.gauss(self.place[1], 1.0)
        return self.seen(reward=self.rng.random(), done=self.rng.random() < 0.1)


class SeldomRandom(_Pushing):
    """Chance shows itself once in thirty steps."""

    def step(self, action: Push) -> Seen2D:
        if self.rng.random() < 0.03:
            self.place[1] += 1.0
        return self.seen(reward=0.0)


class OneStep(_Pushing):
    """Every step is the last."""

    def step(self, action: Push) -> Seen2D:
        return self.seen(reward=1.0, done=True)


class CutOff(_Pushing):
    """Truncated after five steps."""

    def reset(self, seed: int | None = None) -> Seen2D:
        self.left = 5
        return super().reset(seed)

    def step(self, action: Push) -> Seen2D:
        self.left -= 1
        seen = super().step(action)
        seen.done = seen.truncated = self.left == 0
        return seen


class Slow(_Pushing):
    """10 ms a step, on a thread."""

    BLOCKING = True

    def step(self, action: Push) -> Seen2D:
        time.sleep(0.01)
        return super().step(action)


class Alone(_Pushing):
    """One at a time, on a thread of its own, whose connection no other thread may use."""

    SUPPORTS_CONCURRENT_SESSIONS = False
    BLOCKING = True

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:")

    def step(self, action: Push) -> Seen2D:
        self.place[1] = self.connection.execute("SELECT 0.5").fetchone()[0]
        return super().step(action)

    def close(self) -> None:
        self.connection.close()


class Awaiting(Environment[Push, Seen2D, State]):
    """Async, with other tasks in between, and a reset that takes an option."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    async def reset(self, seed: int | None = None, start: float = 0.0) -> Seen2D:
        await asyncio.sleep(0)
        self.place = start
        return Seen2D(place=[self.place])

    async def step(self, action: Push) -> Seen2D:
        await asyncio.sleep(0)
        self.place += self.rng.random()
        return Seen2D(place=[self.place])

    async def close(self) -> None:
        await asyncio.sleep(0)


class Grid(Observation):
    """A picture as an array."""

    pixels: Any = None


class Arrays(Environment[Push, Grid, State]):
    """NumPy's arrays and scalars, drawn by a generator of its own that the base class's seeds."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def reset(self, seed: int | None = None) -> Grid:
        self.dice = np.random.default_rng(self.rng.getrandbits(64))
        self.pixels = np.zeros((8, 8), np.float32)
        return Grid(pixels=self.pixels.copy())

    def step(self, action: Push) -> Grid:
        self.pixels += self.dice.random((8, 8), np.float32)
        mean: Any = self.pixels.mean()  # of NumPy's own types, as the flag below
        return Grid(pixels=self.pixels.copy(), reward=mean, done=mean > 9, metadata={"mean": mean})


class CachedLevels(_Pushing):
    """What is dear to make is made once for all instances, and copied."""

    @staticmethod
    @functools.cache
    def level(number: int) -> tuple[float, ...]:
        return tuple(number / (n + 1) for n in range(9))

    def reset(self, seed: int | None = None) -> Seen2D:
        self.place = [*self.level(self.rng.randrange(5))]
        return self.seen()


class OnePool(_Pushing):
    """Counts its instances for a log, and tells nobody; keeps what it was given and returned."""

    alive: ClassVar[int] = 0

    def __init__(self) -> None:
        OnePool.alive += 1
        self.history: list[tuple[Push, Seen2D]] = []

    def step(self, action: Push) -> Seen2D:
        seen = super().step(action)
        self.history.append((action, seen))
        return seen

    def close(self) -> None:
        OnePool.alive -= 1


class Order(TypedDict):
    """An action without a class."""

    verb: Literal["go", "look"]
    count: Annotated[int, msgspec.Meta(ge=0, le=9)]


class Plain(Environment[Order, dict[str, Any], dict[str, Any]]):
    """Dicts in, dicts out."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def reset(self, seed: int | None = None) -> dict[str, Any]:
        self.gone = 0
        return {"gone": 0, "reward": None, "done": False}

    def step(self, action: Order) -> dict[str, Any]:
        self.gone += action["count"] if action["verb"] == "go" else 0
        return {"gone": self.gone, "reward": 1, "done": self.gone > 20}

    @property
    def state(self) -> dict[str, Any]:
        return {"gone": getattr(self, "gone", 0)}


class Card(msgspec.Struct, tag=True):
    """One of what may be found."""

    suit: Literal["clubs", "hearts"]


class Coin(msgspec.Struct, tag=True):
    """The other."""

    worth: float


class Found(Observation):
    """Perhaps something, of one kind or the other."""

    thing: Card | Coin | None = None
    note: str | int | None = None


class Search(Action):
    """Where to look, if one knows."""

    where: str | None = None
    depth: Annotated[int, msgspec.Meta(ge=1)] | None = None
    tags: dict[str, list[int]] = {}


class Optional(Environment[Search, Found, State]):
    """Fields of several types, and None."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def reset(self, seed: int | None = None) -> Found:
        return Found(note="begin")

    def step(self, action: Search) -> Found:
        things = [None, Card(suit="hearts"), Coin(worth=self.rng.random())]
        return Found(thing=self.rng.choice(things), note=len(action.tags) or None)


class Take(Action):
    """How many matches to take."""

    matches: int


class Heap(Observation):
    """How many matches are left, and how many may be taken."""

    left: int
    most: int


class Narrow(Environment[Take, Heap, State]):
    """Far fewer moves are legal than the type allows."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def reset(self, seed: int | None = None) -> Heap:
        self.left = self.rng.randrange(8, 20)
        return self.heap()

    def step(self, action: Take) -> Heap:
        if not 1 <= action.matches <= min(3, self.left):
            raise ValueError("Take one, two or three")
        self.left -= action.matches
        return self.heap(reward=float(self.left == 0), done=self.left == 0)

    def heap(self, **told: Any) -> Heap:
        return Heap(left=self.left, most=min(3, self.left), **told)


def legal_takes(last: Seen) -> st.SearchStrategy[Any]:
    """What may be taken from the heap that was seen last."""
    return st.fixed_dictionaries({"matches": st.integers(1, last.observation["most"])})


class Shop(MCPEnvironment):
    """Tools with a state, one of which may fail."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def __init__(self) -> None:
        self.basket: dict[str, int] = {}

        @self.tool
        def put(thing: Literal["tea", "salt"], count: int = 1) -> dict[str, int]:
            """Put something into the basket."""
            self.basket[thing] = self.basket.get(thing, 0) + count
            return dict(self.basket)

        @self.tool
        async def price() -> float:
            """What the basket costs today."""
            return sum(self.basket.values()) * self.rng.random()

    def reset(self, seed: int | None = None) -> Observation:
        self.basket.clear()
        return Observation()


class World(msgspec.Struct):
    """All there is."""

    sums: list[int] = []
    last: dict[str, int] = {}


class Worldly(StructBacked[World], Environment[Take, Heap, State]):
    """Its state is a Struct, so that snapshots need no code."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def reset(self, seed: int | None = None) -> Heap:
        self.world = World()
        return Heap(left=0, most=0)

    def step(self, action: Take) -> Heap:
        self.world.sums.append(self.rng.randrange(100))
        self.world.last["taken"] = action.matches % 1000
        return Heap(left=sum(self.world.sums), most=self.world.last["taken"])


class Ledger(SQLiteBacked, Environment[Take, Heap, State]):
    """Its state is a database."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        self.database = sqlite3.connect(":memory:")

    def reset(self, seed: int | None = None) -> Heap:
        with self.database as entering:
            entering.execute("DROP TABLE IF EXISTS taken")
            entering.execute("CREATE TABLE taken (matches INTEGER)")
        return Heap(left=0, most=0)

    def step(self, action: Take) -> Heap:
        with self.database as entering:
            entering.execute("INSERT INTO taken VALUES (?)", (action.matches % 1000,))
        count, total = self.database.execute("SELECT COUNT(*), SUM(matches) FROM taken").fetchone()
        return Heap(left=total, most=count)

    def close(self) -> None:
        self.database.close()


class Handmade(_Pushing):
    """Snapshots by two methods of its own, async by the way."""

    async def snapshot(self) -> list[float]:
        await asyncio.sleep(0)
        return getattr(self, "place", [])

    async def restore(self, saved: list[float]) -> None:
        self.place = saved

    def step(self, action: Push) -> Seen2D:
        self.place[1] += self.rng.random()
        return super().step(action)


CartPole = environment("CartPole-v1")
FrozenLake = environment("FrozenLake-v1")

SOUND: list[Sound] = [
    *(Sound(kind) for kind in (Endless, BigPicture, LongSums, Stochastic, SeldomRandom, OneStep)),
    *(Sound(kind) for kind in (CutOff, Slow, Alone, Awaiting, Arrays, CachedLevels, OnePool)),
    *(Sound(kind) for kind in (Plain, Optional, Shop, Worldly, Ledger, Handmade)),
    Sound(Narrow, legal_takes),
    *(Sound(kind) for kind in (EchoEnvironment, CartPole, FrozenLake)),
]
