"""Environments that are right, to put the runtime to the test: by chance, by thread, by tools."""

import asyncio
import time
from typing import Any, ClassVar

import msgspec
from hypothesis import strategies as st

from openenv_lite import Action, Environment, MCPEnvironment, Observation, State
from openenv_lite.types import CallToolAction

__all__ = ["ACTIONS", "Auction", "Awaited", "Bazaar", "Drift", "OnThread", "Sea"]


class Push(Action):
    """How hard, and where to."""

    force: float
    aims: list[int] = []


class Spot(Observation):
    """Numbers of all kinds, text, holes, and lists that the environment goes on to use."""

    speed: float
    count: int
    trail: list[float]
    note: str | None = None


class Sea(msgspec.Struct):
    """All there is of a drift beside the generator."""

    speed: float = 0.0
    trail: list[float] = []


class Drift(Environment[Push, Spot, State]):
    """Draws all it shows from `self.rng`, and ends, or is cut off, at random."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING: ClassVar[bool] = False

    def __init__(self) -> None:
        self.sea = Sea()

    def reset(self) -> Any:
        self.sea = Sea(self.rng.gauss(0, 1))
        return self.seen()

    def step(self, action: Push) -> Any:
        self.sea.speed += action.force * self.rng.random() + sum(action.aims)
        self.sea.trail.append(self.sea.speed)
        end = self.rng.random()
        seen = self.seen()
        seen.done, seen.truncated = end < 0.15, end < 0.05
        seen.reward = self.rng.choice([None, self.sea.speed, 1.0])
        return seen

    def seen(self) -> Spot:
        note = self.rng.choice([None, "é日本", "a\u0000b"])
        told = {"draw": self.rng.random()} if self.rng.random() < 0.3 else {}
        return Spot(
            speed=self.sea.speed,
            count=self.rng.getrandbits(60),
            trail=self.sea.trail,
            note=note,
            metadata=told,
        )

    def snapshot(self) -> Sea:
        return self.sea

    def restore(self, saved: Sea) -> Any:
        self.sea = saved


class OnThread(Drift):
    """On a thread of its own, which takes a while for a step."""

    BLOCKING: ClassVar[bool] = True

    def step(self, action: Push) -> Any:
        time.sleep(0.0002)
        return super().step(action)


class Awaited(Drift):
    """Awaited, with pauses in which others go on and it can be called off."""

    async def step(self, action: Push) -> Any:
        for _ in range(3):
            await asyncio.sleep(0)
        return super().step(action)


class Purse(msgspec.Struct):
    """All there is of a bazaar."""

    coins: int = 0
    goods: list[str] = []


class Bazaar(MCPEnvironment):
    """Tools, sync and async, whose prices are drawn."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING: ClassVar[bool] = False

    def __init__(self) -> None:
        self.purse = Purse()

        @self.tool
        def buy(goods: str, count: int) -> dict[str, Any]:
            """Buy something; what it costs is drawn."""
            self.purse.coins -= self.rng.randrange(9) * count
            self.purse.goods += [goods] * min(abs(count), 2)
            return {"coins": self.purse.coins, "goods": [*self.purse.goods]}

        @self.tool
        async def look(twice: bool = False) -> float:
            """Look what chance has to offer."""
            await asyncio.sleep(0)
            return self.rng.random() + self.purse.coins + twice

    def reset(self) -> Any:
        self.purse = Purse(coins=self.rng.randrange(100))
        return Observation(metadata={"coins": self.purse.coins})

    def snapshot(self) -> Purse:
        return self.purse

    def restore(self, saved: Purse) -> Any:
        self.purse = saved


class Auction(Bazaar):
    """A step is more than its tool call: it is rewarded, and may end the episode."""

    def step(self, action: Any, **options: Any) -> Any:
        seen = super().step(action, **options)
        if isinstance(action, CallToolAction):
            seen.reward, seen.done = self.rng.random(), self.rng.random() < 0.15
        return seen


def _call(name: str, **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {
            "type": st.just("call_tool"),
            "tool_name": st.just(name),
            "arguments": st.fixed_dictionaries(arguments),
        }
    )


_PUSHES = st.fixed_dictionaries(
    {"force": st.floats(-100, 100), "aims": st.lists(st.integers(-9, 9), max_size=2)}
)
_CALLS = st.one_of(
    _call("buy", goods=st.text(max_size=3), count=st.integers(-5, 5)),
    _call("look", twice=st.booleans()),
)
_LOOKS_INLINE = _call("buy", goods=st.text(max_size=3), count=st.integers(-5, 5))

ACTIONS: dict[type, st.SearchStrategy[Any]] = {
    Drift: _PUSHES,
    OnThread: _PUSHES,
    Awaited: _PUSHES,
    Bazaar: _CALLS,
    Auction: _LOOKS_INLINE,
}
"""Legal actions of each."""
