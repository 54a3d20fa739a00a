import asyncio
import itertools
import threading
import uuid
from typing import Any

import pytest

from openenv_lite import ServerMode
from openenv_lite.blueprint import Blueprint
from openenv_lite.errors import (
    CapacityError,
    FactoryError,
    SessionAttachedError,
    SessionError,
    UnknownSessionError,
)
from openenv_lite.pool import Pool, PoolSettings
from openenv_lite.session import Session
from tests.environments import Add, Awaiting, Inline, Secretive, Threaded
from tests.leaks import on_loop, until
from tests.manual_clock import ManualClock

ALL = pytest.mark.parametrize("kind", [Inline, Threaded, Awaiting])


SIMULATION = ServerMode.SIMULATION
SOCKET, OTHER = object(), object()


def pool_of(kind: Any, clock: ManualClock | None = None, **settings: Any) -> Pool:
    return Pool(Blueprint(kind), PoolSettings(**settings), clock or ManualClock())


async def attached(pool: Pool) -> Session:
    """A session made over HTTP and held by a socket."""
    session = await pool.open(SIMULATION)
    return pool.attach(session.id, SOCKET)


async def held(pool: Pool) -> Session:
    """A session of a socket's own."""
    return await pool.open_held(SIMULATION, str(uuid.uuid4()), SOCKET)


async def lost(pool: Pool) -> Session:
    session = await held(pool)
    pool.lose(session.id, SOCKET)
    return session


@ALL
@on_loop
async def test_capacity_counts_environments_that_exist(kind: Any) -> None:
    pool = pool_of(kind, max_sessions=2)
    sessions = [await pool.open(SIMULATION) for _ in range(2)]
    for _ in range(3):
        with pytest.raises(CapacityError) as caught:
            await pool.open(SIMULATION)
    assert caught.value.details["active_sessions"] == 2
    assert caught.value.details["max_sessions"] == 2
    assert caught.value.details["retry_after"] > 0
    assert len(kind.alive) == 2
    await pool.close(sessions[0])
    await pool.open(SIMULATION)
    assert pool.statistics().refused == 3
    await pool.aclose()
    assert not kind.alive


@ALL
@on_loop
async def test_a_crowd_at_the_door_never_exceeds_capacity(kind: Any) -> None:
    pool = pool_of(kind, max_sessions=3)
    outcomes = await asyncio.gather(
        *(pool.open(SIMULATION) for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(each, Session) for each in outcomes) == 3
    assert sum(isinstance(each, CapacityError) for each in outcomes) == 17
    assert len(kind.alive) == 3
    await pool.aclose()


@on_loop
async def test_a_factory_that_fails_gives_its_slot_back() -> None:
    class Doomed(Threaded):
        def __init__(self) -> None:
            raise ValueError("no")

    pool = pool_of(Doomed)
    for _ in range(3):
        with pytest.raises(FactoryError):
            await pool.open(SIMULATION)
    statistics = pool.statistics()
    assert statistics.active == 0
    assert statistics.opened == statistics.closed == 0


@on_loop
async def test_a_caller_cancelled_mid_factory_gives_the_slot_back(gate: None) -> None:
    class Slow(Threaded):
        def __init__(self) -> None:
            self.entered.set()
            self.gate.wait(10)
            super().__init__()

    pool = pool_of(Slow)
    opening = asyncio.create_task(pool.open(SIMULATION))
    await until(Threaded.entered.is_set)
    opening.cancel()
    await asyncio.sleep(0)
    assert pool.statistics().active == 1
    Threaded.gate.set()
    await until(lambda: pool.statistics().active == 0)
    assert not Threaded.alive
    with pytest.raises(asyncio.CancelledError):
        await opening


@on_loop
async def test_a_session_being_built_can_be_neither_used_nor_attached(gate: None) -> None:
    class Slow(Threaded):
        def __init__(self) -> None:
            self.gate.wait(10)
            super().__init__()

    pool = pool_of(Slow)
    opening = asyncio.create_task(pool.open(SIMULATION, "young"))
    await asyncio.sleep(0)
    for use in (pool.touch, lambda name: pool.attach(name, SOCKET)):
        with pytest.raises(SessionError, match="still initializing"):
            use("young")
    Threaded.gate.set()
    await pool.close(await opening)


@pytest.mark.parametrize("session_id", ["", "nowhere", "\x00", "é" * 1000])
@on_loop
async def test_an_unknown_id_is_a_typed_error(session_id: str) -> None:
    pool = pool_of(Inline)
    for use in (pool.touch, lambda name: pool.attach(name, SOCKET)):
        with pytest.raises(UnknownSessionError):
            use(session_id)
    with pytest.raises(UnknownSessionError):
        await pool.request_close(session_id)


@on_loop
async def test_one_socket_at_a_time_may_hold_a_session() -> None:
    pool = pool_of(Inline)
    session = await attached(pool)
    with pytest.raises(SessionAttachedError):
        pool.attach(session.id, OTHER)
    await pool.detach(session, OTHER)
    pool.lose(session.id, OTHER)
    with pytest.raises(SessionAttachedError):
        pool.attach(session.id, OTHER)
    await pool.detach(session, SOCKET)
    assert pool.attach(session.id, OTHER) is session
    await pool.aclose()


@on_loop
async def test_an_idle_session_expires_and_its_slot_with_it() -> None:
    clock = ManualClock()
    pool = pool_of(Threaded, clock, idle_timeout_s=100)
    session = await pool.open(SIMULATION)
    await clock.advance(90)
    assert session.id in pool
    await clock.advance(40)
    await until(lambda: pool.statistics().active == 0)
    assert pool.statistics().expired == 1
    assert not Threaded.alive
    with pytest.raises(UnknownSessionError):
        pool.touch(session.id)


@pytest.mark.parametrize("use", ["reset", "state", "metadata", "failing step"])
@on_loop
async def test_any_call_keeps_a_session_from_expiring(use: str) -> None:
    clock = ManualClock()
    pool = pool_of(Inline, clock, idle_timeout_s=100)
    session = await pool.open(SIMULATION)
    for _ in range(5):
        await clock.advance(60)
        async with pool.lease(SIMULATION, session.id) as leased:
            if use == "failing step":
                with pytest.raises(Exception, match="No episode"):
                    await leased.step(Add(amount=1))
            else:
                await getattr(leased, use)()
    assert pool.statistics().active == 1
    await pool.aclose()


@on_loop
async def test_a_session_never_expires_while_a_socket_holds_it() -> None:
    clock = ManualClock()
    pool = pool_of(Inline, clock, idle_timeout_s=10)
    session = await attached(pool)
    await clock.advance(1000)
    assert pool.touch(session.id) is session
    await pool.detach(session, SOCKET)
    await clock.advance(5)
    assert pool.touch(session.id) is session
    await clock.advance(20)
    assert pool.statistics().active == 0


@on_loop
async def test_a_session_never_expires_during_a_call(gate: None) -> None:
    clock = ManualClock()
    pool = pool_of(Threaded, clock, idle_timeout_s=10)
    session = await pool.open(SIMULATION)
    async with pool.lease(SIMULATION, session.id) as leased:
        await leased.reset()
        stepping = asyncio.create_task(leased.step(Add(amount=-1)))
        await until(Threaded.entered.is_set)
        await clock.advance(1000)
        assert session.is_open
        Threaded.gate.set()
        assert (await stepping).observation.total == -1
    await clock.advance(5)
    assert pool.touch(session.id) is session
    await pool.aclose()


@on_loop
async def test_a_lost_session_waits_for_its_client_and_no_longer() -> None:
    clock = ManualClock()
    pool = pool_of(Inline, clock, resume_grace_s=30)
    session = await lost(pool)
    await clock.advance(25)
    assert pool.attach(session.id, SOCKET) is session
    await clock.advance(100)
    pool.lose(session.id, SOCKET)
    await clock.advance(45)
    with pytest.raises(UnknownSessionError):
        pool.attach(session.id, SOCKET)
    assert pool.statistics().active == 0


@on_loop
async def test_a_newcomer_at_capacity_ends_the_longest_lost_session() -> None:
    clock = ManualClock()
    pool = pool_of(Inline, clock, max_sessions=2)
    oldest = await lost(pool)
    await clock.advance(1)
    younger = await lost(pool)
    await pool.open(SIMULATION)
    with pytest.raises(UnknownSessionError):
        pool.touch(oldest.id)
    assert pool.attach(younger.id, SOCKET) is younger
    assert len(Inline.alive) == 2
    with pytest.raises(CapacityError):
        await pool.open(SIMULATION)
    await pool.aclose()


@on_loop
async def test_one_lost_session_makes_room_for_one_newcomer_only() -> None:
    pool = pool_of(Threaded)
    await lost(pool)
    outcomes = await asyncio.gather(
        *(pool.open(SIMULATION) for _ in range(3)), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in outcomes) == [
        "CapacityError",
        "CapacityError",
        "Session",
    ]
    assert len(Threaded.alive) == 1
    await pool.aclose()


@on_loop
async def test_a_queue_serves_newcomers_as_slots_come_free() -> None:
    clock = ManualClock()
    pool = pool_of(Inline, clock, queue_timeout_s=60)
    first = await pool.open(SIMULATION)
    waiting = [asyncio.create_task(pool.open(SIMULATION)) for _ in range(2)]
    await clock.advance(30)
    assert pool.statistics().waiting == 2
    await pool.close(first)
    await until(lambda: any(each.done() for each in waiting))
    await clock.advance(40)
    await until(lambda: all(each.done() for each in waiting))
    served, refused = (each.exception() is None for each in waiting)
    assert (served, refused) == (True, False)
    assert isinstance(waiting[1].exception(), CapacityError)
    await pool.aclose()


@on_loop
async def test_a_waiter_that_gives_up_takes_no_turn_with_it() -> None:
    pool = pool_of(Inline, queue_timeout_s=60)
    first = await pool.open(SIMULATION)
    waiting = [asyncio.create_task(pool.open(SIMULATION)) for _ in range(2)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(pool.close(first))
    waiting[0].cancel()
    await closing
    assert (await waiting[1]).is_open
    assert pool.statistics().waiting == 0
    await pool.aclose()


@on_loop
async def test_a_sockets_own_session_ends_when_whoever_holds_it_leaves() -> None:
    pool = pool_of(Inline)
    session = await lost(pool)
    pool.attach(session.id, OTHER)
    await pool.detach(session, SOCKET)  # the old connection, noticed late
    assert pool.touch(session.id) is session
    await pool.detach(session, OTHER)
    assert pool.statistics().active == 0


@on_loop
async def test_metadata_at_capacity_asks_an_environment_that_exists() -> None:
    pool = pool_of(Inline)
    session = await pool.open(SIMULATION)
    assert (await pool.metadata(SIMULATION)).name == "Inline"
    await pool.close(session)
    assert (await pool.metadata(SIMULATION)).name == "Inline"
    assert not Inline.alive


@on_loop
async def test_a_lease_for_one_request_ends_with_it_even_if_it_fails() -> None:
    pool = pool_of(Secretive)
    for _ in range(3):
        with pytest.raises(Exception, match="secret"):
            async with pool.lease(SIMULATION, None) as session:
                await session.reset()
    assert pool.statistics().active == 0


@on_loop
async def test_statistics_add_up() -> None:
    pool = pool_of(Inline, max_sessions=3)
    sessions = [await pool.open(SIMULATION) for _ in range(3)]
    for session, steps in zip(sessions, itertools.count(1), strict=False):
        await session.reset()
        for _ in range(steps):
            await session.reset() if session.phase == "done" else None
            await session.step(Add(amount=0))
    await pool.close(sessions[0])
    statistics = pool.statistics()
    assert (statistics.opened, statistics.closed, statistics.active) == (3, 1, 2)
    assert statistics.steps == 6
    await pool.aclose()


@on_loop
async def test_a_thread_that_cannot_be_had_is_a_typed_error_and_takes_no_slot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    pool = pool_of(Threaded)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises((FactoryError, CapacityError)):
            await pool.open(SIMULATION)
    assert pool.statistics().active == 0
    await pool.close(await pool.open(SIMULATION))


@pytest.mark.parametrize(
    ("kind", "most"),
    [(Inline, 100), (type("One", (Inline,), {"SUPPORTS_CONCURRENT_SESSIONS": False}), 1)],
)
def test_the_class_says_whether_several_may_live(kind: Any, most: int) -> None:
    assert Blueprint(kind).capacity == most
