import asyncio

import pytest

from openenv_lite.errors import (
    CapacityError,
    SessionClosedError,
    SessionError,
)
from tests.environments import Add, Inline, Threaded
from tests.leaks import on_loop, until
from tests.test_pool import SIMULATION, SOCKET, attached, pool_of


@pytest.mark.parametrize("end", ["leaves", "breaks"])
@on_loop
async def test_a_close_asked_for_waits_until_the_socket_lets_go(end: str) -> None:
    pool = pool_of(Inline)
    session = await attached(pool)
    assert await pool.request_close(session.id) is False
    assert pool.touch(session.id) is session
    if end == "leaves":
        await pool.detach(session, SOCKET)
    else:
        pool.lose(session.id, SOCKET)
    await until(lambda: pool.statistics().active == 0)
    free = await pool.open(SIMULATION)
    assert await pool.request_close(free.id) is True
    assert not Inline.alive


@on_loop
async def test_closing_twice_at_once_closes_once() -> None:
    closings: list[int] = []

    class Counted(Threaded):
        def close(self) -> None:
            closings.append(1)
            super().close()

    pool = pool_of(Counted)
    session = await pool.open(SIMULATION)
    await asyncio.gather(*(pool.close(session) for _ in range(5)), pool.aclose())
    await pool.close(session)
    assert closings == [1]
    assert pool.statistics().closed == 1


@on_loop
async def test_a_cancelled_close_goes_on() -> None:
    pool = pool_of(Threaded)
    session = await pool.open(SIMULATION)
    closing = asyncio.create_task(pool.close(session))
    await asyncio.sleep(0)
    closing.cancel()
    await until(lambda: pool.statistics().active == 0)
    assert not Threaded.alive


@on_loop
async def test_a_socket_that_lets_go_after_the_stop_leaves_nothing() -> None:
    pool = pool_of(Inline)
    session = await attached(pool)
    await pool.aclose()
    pool.lose(session.id, SOCKET)
    pool.start()
    current = await attached(pool)
    with pytest.raises(CapacityError):
        await pool.open(SIMULATION)
    await pool.detach(current, SOCKET)
    await pool.aclose()


@on_loop
async def test_a_stop_lets_nobody_in() -> None:
    pool = pool_of(Inline, queue_timeout_s=60)
    await pool.open(SIMULATION)
    waiting = asyncio.create_task(pool.open(SIMULATION))
    await asyncio.sleep(0)
    await pool.aclose()
    with pytest.raises(SessionError):
        await waiting
    with pytest.raises(SessionError):
        await pool.open(SIMULATION)
    assert not Inline.alive


@on_loop
async def test_a_stop_waits_for_the_step_under_way(gate: None) -> None:
    pool = pool_of(Threaded)
    session = await pool.open(SIMULATION)
    await session.reset()
    stepping = asyncio.create_task(session.step(Add(amount=-1)))
    await until(Threaded.entered.is_set)
    stopping = asyncio.create_task(pool.aclose())
    await asyncio.sleep(0.01)
    assert not stopping.done()
    Threaded.gate.set()
    await stopping
    assert (await stepping).observation.total == -1
    assert not Threaded.alive


@on_loop
async def test_a_stop_gives_up_on_what_never_ends(
    gate: None, caplog: pytest.LogCaptureFixture
) -> None:
    pool = pool_of(Threaded, close_timeout_s=0.05)
    session = await pool.open(SIMULATION)
    await session.reset()
    stepping = asyncio.create_task(session.step(Add(amount=-1)))
    await until(Threaded.entered.is_set)
    await asyncio.wait_for(pool.aclose(), 5)
    assert pool.statistics().active == 0
    assert session.id in caplog.text
    Threaded.gate.set()
    with pytest.raises(SessionClosedError):
        await stepping
    with pytest.raises(SessionClosedError):
        await session.step(Add(amount=1))


@on_loop
async def test_a_stop_gives_up_on_a_thread_whose_caller_has_gone(gate: None) -> None:
    pool = pool_of(Threaded, close_timeout_s=0.05)
    session = await pool.open(SIMULATION)
    await session.reset()
    stepping = asyncio.create_task(session.step(Add(amount=-1)))
    await until(Threaded.entered.is_set)
    stepping.cancel()
    await asyncio.wait([stepping])
    try:
        await asyncio.wait_for(pool.aclose(), 5)
    finally:
        Threaded.gate.set()
    assert pool.statistics().active == 0


@on_loop
async def test_a_close_that_raises_gives_the_slot_back() -> None:
    class Bad(Threaded):
        def close(self) -> None:
            super().close()
            raise SystemExit(1)

    pool = pool_of(Bad)
    for _ in range(3):
        await pool.close(await pool.open(SIMULATION))
    assert pool.statistics().active == 0
