"""Lanes saved, put back and forked, with no server and no client."""

import asyncio
import tracemalloc
from typing import Any

import pytest

from openenv_lite import ServerMode
from openenv_lite.batches import (
    Autoreset,
    Close,
    Discard,
    Export,
    Fork,
    Import,
    Open,
    ReadState,
    Receive,
    Reset,
    Restore,
    Snapshot,
    Step,
)
from openenv_lite.blueprint import Blueprint
from openenv_lite.errors import (
    CallCancelledError,
    CapacityError,
    ExecutionError,
    InvalidMessageError,
    SessionClosedError,
    SnapshotLimitError,
    SnapshotsUnsupportedError,
    UnknownLaneError,
    UnknownSnapshotError,
)
from openenv_lite.pool import Pool, PoolSettings
from openenv_lite.vector import Vector
from tests.environments import Add, Awaiting
from tests.leaks import on_loop, until
from tests.snapshots.worlds import KINDS, Kit, Moving, Unsaved, Walk
from tests.vector.speaking import Lanes, adding

ALL = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


class Peer(Lanes):
    """Lanes of a pool that others may share."""

    def __init__(self, pool: Pool, principal: str | None = None) -> None:
        super().__init__(Vector(pool, ServerMode.SIMULATION, principal), pool)

    async def begin_with(self, count: int, **more: Any) -> None:
        """So many lanes with an episode in each."""
        await self.do(Open(id=0, count=count, **more))
        await self.do(Reset(id=0, seeds=[*range(count)]))

    async def leave(self) -> None:
        self.vector.cancel_all()
        await self.vector.leases.close_all()


def pool_of(kind: Any, most: int = 8, **settings: Any) -> Pool:
    return Pool(Blueprint(kind), PoolSettings(max_sessions=most, **settings))


def seen(results: Any) -> list[Any]:
    assert not results.errors
    return list(zip(results.observations, results.rewards, results.done, strict=True))


def names(errors: dict[int, Exception]) -> dict[int, str]:
    return {lane: type(error).__name__ for lane, error in errors.items()}


@ALL
@on_loop
async def test_each_lane_goes_back_to_its_own_state(kind: Any) -> None:
    peer = Peer(pool_of(kind))
    await peer.begin_with(3)
    await peer.do(adding(0, 1, 2))
    taken = await peer.do(Snapshot(id=1))
    assert (taken.lanes, taken.errors, len({*taken.handles})) == ([0, 1, 2], {}, 3)
    future = seen(await peer.do(adding(1, 1, 1)))
    restored = await peer.do(Restore(id=2, snapshots=taken.handles))
    assert (restored.lanes, restored.errors) == ([0, 1, 2], {})
    assert seen(await peer.do(adding(1, 1, 1))) == future
    swapped = Restore(id=3, snapshots=taken.handles[:2], lanes=[2, 0])
    assert (await peer.do(swapped)).lanes == [2, 0]
    assert seen(await peer.do(adding(1, 1, lanes=[2, 0]))) == future[:2]
    await peer.do(Restore(id=4, snapshots=taken.handles[:1]))
    assert seen(await peer.do(adding(1, 1, 1))) == [future[0]] * 3
    await peer.leave()


@ALL
@on_loop
async def test_forks_are_lanes_that_share_nothing(kind: Any) -> None:
    pool = pool_of(kind)
    peer = Peer(pool)
    await peer.begin_with(1)
    [handle] = (await peer.do(Snapshot(id=1))).handles
    forked = await peer.do(Fork(id=2, snapshots=[handle] * 3))
    assert forked.lanes == [1, 2, 3]
    assert len({*forked.sessions}) == 3
    assert pool.statistics().active == 4
    first = seen(await peer.do(adding(1, 1, 1, 1)))
    assert first == [first[0]] * 4
    last = await peer.do(ReadState(id=3))
    await peer.do(adding(0, 3, lanes=[1, 2]))
    assert (await peer.do(ReadState(id=4, lanes=[0, 3]))).states == [last.states[0]] * 2
    assert (await peer.do(Close(id=5, lanes=[0, 2]))).lanes == [0, 2]
    assert len(seen(await peer.do(adding(0, 0)))) == 2
    await peer.leave()
    assert (pool.statistics().active, Moving.alive) == (0, 0)


@ALL
@on_loop
async def test_all_forks_can_be_had_or_none(kind: Any) -> None:
    pool = pool_of(kind, 3)
    peer = Peer(pool)
    await peer.begin_with(1)
    [handle] = (await peer.do(Snapshot(id=1))).handles
    for count in (3, 99):
        with pytest.raises(CapacityError):
            await peer.do(Fork(id=2, snapshots=[handle] * count))
        assert (pool.statistics().active, Moving.alive) == (1, 1)
    with pytest.raises(UnknownSnapshotError):
        await peer.do(Fork(id=3, snapshots=[handle, "another"]))
    await peer.do(Reset(id=4, options={"start": -100}))
    bad = (await peer.do(Snapshot(id=5))).handles[0]
    for handles in ([handle, bad], [bad]):
        with pytest.raises(ExecutionError, match="not from there"):
            await peer.do(Fork(id=6, snapshots=handles))
        assert (pool.statistics().active, Moving.alive) == (1, 1)
    assert (await peer.do(Fork(id=7, snapshots=[handle] * 2))).lanes == [1, 2]
    await peer.leave()


@ALL
@on_loop
async def test_what_befalls_one_lane_leaves_the_others_be(kind: Any) -> None:
    peer = Peer(pool_of(kind))
    await peer.begin_with(3)
    good = (await peer.do(Snapshot(id=1, lanes=[0, 1]))).handles
    await peer.do(Reset(id=2, lanes=[0], options={"start": -100}))
    bad = (await peer.do(Snapshot(id=3, lanes=[0, 7]))).handles
    assert bad[1] is None
    told = await peer.do(Restore(id=4, snapshots=["another", good[1]], lanes=[0, 1]))
    assert names(told.errors) == {0: "UnknownSnapshotError"}
    told = await peer.do(Restore(id=5, snapshots=[bad[0], good[1], good[0]], lanes=[0, 1, 7]))
    assert names(told.errors) == {0: "ExecutionError", 7: "UnknownLaneError"}
    results = await peer.do(adding(1, 1, 1))
    assert names(results.errors) == {0: "ResetRequiredError"}
    await peer.leave()


@on_loop
async def test_a_request_that_does_not_fit_is_refused_as_a_whole() -> None:
    peer = Peer(pool_of(Walk))
    await peer.begin_with(3)
    handles = (await peer.do(Snapshot(id=1))).handles
    for request in (
        Restore(id=2, snapshots=handles[:2]),
        Restore(id=2, snapshots=[]),
        Restore(id=2, snapshots=handles, lanes=[0, 0, 1]),
        Snapshot(id=2, lanes=[0, 0]),
        Export(id=2, snapshots=[handles[0]] * 2),
    ):
        with pytest.raises(InvalidMessageError):
            await peer.do(request)
    await peer.leave()


@ALL
@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (Restore(id=2, snapshots=[""] * 50_000), InvalidMessageError),
        (Restore(id=2, snapshots=[""], lanes=[*range(50_000)]), UnknownLaneError),
        (Snapshot(id=2, lanes=[*range(50_000)]), UnknownLaneError),
        (Reset(id=2, lanes=[*range(50_000)], options={"start": 1}), UnknownLaneError),
        (Reset(id=2, seeds=[1] * 50_000), InvalidMessageError),
        (adding(*[1] * 50_000, lanes=[*range(50_000)]), UnknownLaneError),
        (ReadState(id=2, lanes=[*range(50_000)]), UnknownLaneError),
    ],
    ids=lambda value: type(value).__name__,
)
@on_loop
async def test_a_request_for_more_lanes_than_there_are_costs_nothing(
    kind: Any, request_: Any, refusal: Any
) -> None:
    peer = Peer(pool_of(kind))
    await peer.begin_with(2)
    tracemalloc.start()
    with pytest.raises(refusal):
        await peer.do(request_)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000
    assert (await peer.do(adding(0, 0))).lanes == [0, 1]
    await peer.leave()


@ALL
@on_loop
async def test_calls_for_a_lane_keep_their_order(kind: Any) -> None:
    peer = Peer(pool_of(kind))
    await peer.begin_with(2)
    before = peer.begin(adding(1, 1, identity=1))
    taken = peer.begin(Snapshot(id=2))
    after = peer.begin(adding(1, 1, identity=3))
    handles = (await taken).handles
    future = seen(await after)
    assert seen(await before) != future
    back = peer.begin(Restore(id=4, snapshots=handles))
    again = peer.begin(adding(1, 1, identity=5))
    assert seen(await again) == future
    assert (await back).errors == {}
    await peer.leave()


@ALL
@on_loop
async def test_what_was_sent_is_told_also_after_its_lane_went_back(kind: Any) -> None:
    peer = Peer(pool_of(kind))
    await peer.begin_with(2)
    handles = (await peer.do(Snapshot(id=1))).handles
    first = seen(await peer.do(adding(1, 2, identity=2)))
    await peer.do(Restore(id=3, snapshots=handles))
    sent = peer.begin(Step(id=4, actions=[Add(amount=1), Add(amount=2)], wait=1))
    back = peer.begin(Restore(id=5, snapshots=handles))
    told = [await sent, await peer.do(Receive(id=6, wait=1))]
    assert sorted(each.lanes[0] for each in told) == [0, 1]
    assert all(seen(each) == [first[each.lanes[0]]] for each in told)
    assert (await back).errors == {}
    assert seen(await peer.do(adding(1, 2, identity=7))) == first
    await peer.leave()


@pytest.mark.parametrize("autoreset", [Autoreset.NEXT_STEP, Autoreset.SAME_STEP])
@ALL
@on_loop
async def test_the_end_of_an_episode_is_saved(kind: Any, autoreset: Autoreset) -> None:
    peer = Peer(pool_of(kind))
    await peer.begin_with(1, autoreset=autoreset)
    handle = (await peer.do(Snapshot(id=1))).handles[0]
    await peer.do(adding(9))
    ended = (await peer.do(Snapshot(id=2))).handles[0]
    [lane] = (await peer.do(Fork(id=3, snapshots=[ended], autoreset=autoreset))).lanes
    both = await peer.do(adding(1, 1, lanes=[0, lane]))
    assert both.errors == {}
    assert both.observations[0] == both.observations[1]
    await peer.do(Restore(id=4, snapshots=[handle], lanes=[0]))
    assert seen(await peer.do(adding(0, lanes=[0])))[0][2] is False
    await peer.leave()


@ALL
@on_loop
async def test_a_limit_is_told_of_the_lane_that_met_it(kind: Any) -> None:
    peer = Peer(pool_of(kind, max_snapshots=2))
    await peer.begin_with(3)
    taken = await peer.do(Snapshot(id=1))
    [late] = taken.errors
    assert names(taken.errors) == {late: "SnapshotLimitError"}
    handles = [each for each in taken.handles if each is not None]
    assert (taken.handles[late], len(handles)) == (None, 2)
    data = (await peer.do(Export(id=2, snapshots=handles))).data
    with pytest.raises(SnapshotLimitError):
        await peer.do(Import(id=3, data=data))
    assert {*(await peer.do(Discard(id=4, snapshots=handles))).handles} == {*handles}
    assert (await peer.do(Snapshot(id=5, lanes=[0, 1]))).errors == {}
    await peer.leave()


@ALL
@on_loop
async def test_from_one_process_to_another_with_the_same_key(kind: Any) -> None:
    key = "a key that they share"
    here, there = (Peer(pool_of(kind, snapshot_key=key)) for _ in range(2))
    for peer in (here, there):
        await peer.begin_with(1)
    handles = (await here.do(Snapshot(id=1))).handles
    data = (await here.do(Export(id=2, snapshots=handles))).data
    future = seen(await here.do(adding(1)))
    with pytest.raises(UnknownSnapshotError):
        await there.do(Fork(id=3, snapshots=handles))
    moved = (await there.do(Import(id=4, data=data))).handles
    [lane] = (await there.do(Fork(id=5, snapshots=moved))).lanes
    assert seen(await there.do(adding(1, lanes=[lane]))) == future
    for peer in (here, there):
        await peer.leave()


@on_loop
async def test_handles_are_their_principals_on_every_connection() -> None:
    pool = pool_of(Walk)
    ann, again, bob = Peer(pool, "ann"), Peer(pool, "ann"), Peer(pool, "bob")
    for peer in (ann, again, bob):
        await peer.begin_with(1)
    handles = (await ann.do(Snapshot(id=1))).handles
    assert (await again.do(Restore(id=2, snapshots=handles))).errors == {}
    assert names((await bob.do(Restore(id=3, snapshots=handles))).errors) == {
        0: "UnknownSnapshotError"
    }
    for request in (Fork(id=4, snapshots=handles), Export(id=4, snapshots=handles)):
        with pytest.raises(UnknownSnapshotError):
            await bob.do(request)
    assert (await bob.do(Discard(id=5, snapshots=handles))).handles == []
    await ann.leave()
    assert (await again.do(Fork(id=6, snapshots=handles))).lanes == [1]
    for peer in (again, bob):
        await peer.leave()


@on_loop
async def test_without_snapshots_every_request_says_so() -> None:
    peer = Peer(pool_of(Unsaved))
    await peer.begin_with(1)
    for request in (
        Snapshot(id=1),
        Restore(id=1, snapshots=["a"]),
        Fork(id=1, snapshots=[]),
        Export(id=1, snapshots=["a"]),
        Import(id=1, data=[b""]),
        Discard(id=1, snapshots=["a"]),
    ):
        with pytest.raises(SnapshotsUnsupportedError, match="Unsaved"):
            await peer.do(request)
    await peer.leave()


@on_loop
async def test_tools_fork_with_what_they_remember() -> None:
    pool = pool_of(Kit)
    peer = Peer(pool)
    await peer.begin_with(1)
    await peer.vector.lane(0, "mcp").session.call_tool("note", {"text": "one"})
    handles = (await peer.do(Snapshot(id=1))).handles
    [lane] = (await peer.do(Fork(id=2, snapshots=handles))).lanes
    notes = [
        (await peer.vector.lane(each, "mcp").session.call_tool("note", {"text": "two"}))
        for each in (0, lane)
    ]
    assert notes[0] == notes[1]
    await peer.leave()


class Slow(Awaiting):
    """Saving and restoring never end where it says so."""

    stuck = False

    async def snapshot(self) -> int:
        if self.stuck:
            await asyncio.Event().wait()
        return self.total

    async def restore(self, saved: int) -> None:
        if self.stuck or saved == 1:
            await asyncio.Event().wait()
        self.total = saved


@on_loop
async def test_what_is_called_off_is_told_of_its_lane_and_others_go_on() -> None:
    peer = Peer(pool_of(Slow))
    await peer.begin_with(2)
    handles = (await peer.do(Snapshot(id=1))).handles
    peer.vector.lane(0, "step").session._environment.stuck = True
    for request in (Snapshot(id=2), Restore(id=2, snapshots=handles)):
        under_way = peer.begin(request)
        for _ in range(5):
            await asyncio.sleep(0)
        peer.cancel(2)
        reply = await under_way
        assert reply.errors.keys() == {0}
        assert isinstance(reply.errors[0], CallCancelledError)
    results = await peer.do(adding(1, 1))
    assert names(results.errors) == {0: "ResetRequiredError"}
    assert results.observations[1].total == 1
    await peer.leave()


@pytest.mark.parametrize("count", [1, 2])
@on_loop
async def test_a_fork_called_off_leaves_no_lane(count: int) -> None:
    pool = pool_of(Slow)
    peer = Peer(pool)
    await peer.begin_with(1)
    await peer.do(Reset(id=1, options={"start": 1}))
    [handle] = (await peer.do(Snapshot(id=2))).handles
    forking = peer.begin(Fork(id=3, snapshots=[handle] * count))
    await until(lambda: pool.statistics().active == 1 + count)
    forking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await forking
    assert pool.statistics().active == 1
    assert (await peer.do(ReadState(id=4))).lanes == [0]
    await peer.leave()
    assert not Slow.alive


@on_loop
async def test_a_lane_closed_meanwhile_says_so() -> None:
    peer = Peer(pool_of(KINDS[1]))
    await peer.begin_with(1)
    handles = (await peer.do(Snapshot(id=1))).handles
    session = peer.vector.lane(0, "step").session
    await peer.do(Close(id=2))
    with pytest.raises(UnknownLaneError):
        peer.vector.lane(0, "restore")
    with pytest.raises(SessionClosedError):
        await session.restore(peer.pool.snapshots.saved(handles[0], None))


@pytest.mark.parametrize("numbers", [[0, 1], [4, 9], [1]])
@on_loop
async def test_lanes_taken_up_again_can_keep_their_numbers(numbers: list[int]) -> None:
    pool = pool_of(Walk)
    first, second = Peer(pool), Peer(pool)
    sessions = (await first.do(Open(id=1, count=len(numbers)))).sessions
    first.vector.leases.lose()
    opened = await second.do(Open(id=2, sessions=sessions, lanes=numbers))
    assert opened.lanes == numbers
    assert (await second.do(Open(id=3))).lanes == [numbers[-1] + 1]
    await second.leave()


@pytest.mark.parametrize("numbers", [[0], [1, 0], [0, 0], [-1, 0], [0, 1, 2]])
@on_loop
async def test_other_numbers_are_refused_and_no_session_is_taken(numbers: list[int]) -> None:
    pool = pool_of(Walk)
    first, second = Peer(pool), Peer(pool)
    sessions = (await first.do(Open(id=1, count=2))).sessions
    first.vector.leases.lose()
    with pytest.raises(InvalidMessageError):
        await second.do(Open(id=2, sessions=sessions, lanes=numbers))
    with pytest.raises(InvalidMessageError):
        await second.do(Open(id=3, count=2, lanes=[0, 1]))
    assert (await second.do(Open(id=4, sessions=sessions))).lanes == [0, 1]
    await second.leave()
