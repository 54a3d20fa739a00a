"""Lanes are opened all or none, and closed for good, also by who is cancelled meanwhile."""

import asyncio
from typing import Any

import pytest

from openenv_lite import ServerMode
from openenv_lite.batches import Close, Open, Reset
from openenv_lite.blueprint import Blueprint
from openenv_lite.errors import (
    CapacityError,
    FactoryError,
)
from openenv_lite.pool import Pool, PoolSettings
from openenv_lite.vector import Vector
from tests.environments import Awaiting, Inline, Threaded
from tests.leaks import on_loop, until
from tests.vector.speaking import lanes_of

ALL = pytest.mark.parametrize("kind", [Inline, Threaded, Awaiting], ids=lambda kind: kind.__name__)


def totals(results: Any) -> list[int | None]:
    return [None if seen is None else _total(seen) for seen in results.observations]


def _total(seen: Any) -> int:
    return int(getattr(seen, "total", seen))


@on_loop
async def test_numbers_are_never_used_again() -> None:
    async with lanes_of(Inline, 3) as lanes:
        await lanes.do(Close(id=1, lanes=[0, 2]))
        opened = await lanes.do(Open(id=2, count=2))
        assert opened.lanes == [3, 4]
        assert (await lanes.do(Reset(id=3))).lanes == [1, 3, 4]


@ALL
@on_loop
async def test_opening_is_all_or_nothing(kind: Any) -> None:
    pool = Pool(Blueprint(kind), PoolSettings(max_sessions=3))
    vector = Vector(pool, ServerMode.SIMULATION)
    await vector.answer(Open(id=1, count=2))
    for count in (2, 4):
        with pytest.raises(CapacityError):
            await vector.answer(Open(id=2, count=count))
        assert pool.statistics().active == 2
        assert len(kind.alive) == 2
    assert (await vector.answer(Open(id=3))).lanes == [2]
    await vector.leases.close_all()
    assert pool.statistics().active == 0


@pytest.mark.parametrize("base", [Inline, Threaded])
@on_loop
async def test_a_constructor_that_fails_leaves_no_other(base: Any) -> None:
    class Third(base):  # type: ignore[misc]
        built = 0

        def __init__(self) -> None:
            type(self).built += 1
            if self.built == 3:
                raise ValueError("no third one")
            super().__init__()

    pool = Pool(Blueprint(Third), PoolSettings(max_sessions=9))
    vector = Vector(pool, ServerMode.SIMULATION)
    with pytest.raises(FactoryError):
        await vector.answer(Open(id=1, count=5))
    assert pool.statistics().active == 0
    assert not base.alive
    assert (await vector.answer(Open(id=2, count=5))).lanes == [0, 1, 2, 3, 4]
    await vector.leases.close_all()


@pytest.mark.parametrize("turns", range(12))
@pytest.mark.parametrize("kind", [Inline, Threaded, Awaiting])
@on_loop
async def test_an_opening_cancelled_at_any_moment_leaves_nothing(kind: Any, turns: int) -> None:
    pool = Pool(Blueprint(kind), PoolSettings(max_sessions=40))
    vector = Vector(pool, ServerMode.SIMULATION)
    opening = asyncio.create_task(vector.answer(Open(id=1, count=40)))
    for _ in range(turns):
        await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait([opening])
    if opening.cancelled():
        assert pool.statistics().active == 0
        assert not kind.alive
    await vector.leases.close_all()
    assert pool.statistics().active == 0


@pytest.mark.parametrize("turns", range(1, 7))
@pytest.mark.parametrize("kind", [Inline, Threaded, Awaiting])
@on_loop
async def test_a_closing_cancelled_at_any_moment_leaves_nothing(kind: Any, turns: int) -> None:
    async with lanes_of(kind, 20) as lanes:
        closing = lanes.begin(Close(id=1))
        for _ in range(turns):
            await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait([closing])
        await lanes.vector.leases.close_all()
        await until(lambda: lanes.pool.statistics().active == 0)
    assert not kind.alive
