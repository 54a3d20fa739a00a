"""Snapshots by both vector clients: over TCP, to an app, and with no server at all."""

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from openenv_lite import VectorEnvClient, create_app
from openenv_lite.errors import (
    CapacityError,
    ConfigurationError,
    ExecutionError,
    ReplyTimeoutError,
    SealBrokenError,
    SnapshotLimitError,
    SnapshotMismatchError,
    SnapshotsUnsupportedError,
    UnknownSnapshotError,
)
from tests.client.players import Player
from tests.environments import Awaiting, Inline
from tests.snapshots.worlds import KINDS, Unsaved, Walk

ALL = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
KEY = "a key that they share"


def add(*amounts: int) -> list[dict[str, int]]:
    return [{"amount": amount} for amount in amounts]


def seen(result: Any) -> list[Any]:
    assert result.errors == {}
    return list(zip(result.observations, result.rewards, result.done, strict=True))


@ALL
def test_lanes_go_back_and_fork(player: Player, kind: Any) -> None:
    client = player.open(kind)
    client.reset(seeds=1)
    handles = client.snapshot()
    assert len({*handles}) == 2
    future = seen(client.step(add(1, 1)))
    client.restore(handles)
    assert seen(client.step(add(1, 1))) == future
    client.restore(handles[0])
    assert seen(client.step(add(1, 1))) == [future[0]] * 2
    client.restore([handles[0]], lanes=[1])
    assert seen(client.step(add(1), lanes=[1])) == future[:1]
    assert client.fork([handles[1], handles[0]]) == [2, 3]
    assert (client.num_envs, len({*client.sessions})) == (4, 4)
    assert seen(client.step(add(1, 1), lanes=[3, 2])) == future
    assert client.fork(handles[0]) == [4]
    assert client.step(add(0, 0, 0, 0, 0)).lanes == [0, 1, 2, 3, 4]
    assert len(client.state()) == 5
    assert client.reset(seeds=7).lanes == [0, 1, 2, 3, 4]
    assert [len(client.snapshot()), len(client.snapshot([3]))] == [5, 1]


@ALL
def test_lanes_are_closed_and_the_others_keep_their_numbers(player: Player, kind: Any) -> None:
    client = player.open(kind, most=4)
    client.reset(seeds=1)
    handles = client.snapshot()
    for forks in ([2, 3], [4, 5], [6, 7]):
        assert client.fork(handles) == forks
        client.close_lanes([forks[0]])
        assert (client.num_envs, len({*client.sessions})) == (3, 3)
        assert client.step(add(0, 0, 0)).lanes == [0, 1, forks[1]]
        client.close_lanes(forks[1:])
    for wrong in ([7], [0, 9], [0, 1]):
        with pytest.raises(ValueError, match="lane"):
            client.close_lanes(wrong)
    client.close_lanes([0])
    assert client.step(add(0)).lanes == [1]
    client.close()
    assert client.reset().lanes == [0, 1]


def test_exports_are_imported_where_they_were_made_and_nowhere_else(player: Player) -> None:
    client, other = player.open(Walk), player.open(Walk)
    client.reset(seeds=1)
    handles = client.snapshot()
    data = client.export(handles)
    future = seen(client.step(add(1, 1)))
    moved = client.import_(data)
    client.restore(moved)
    assert seen(client.step(add(1, 1))) == future
    with pytest.raises(SealBrokenError):
        other.import_(data)
    with pytest.raises(UnknownSnapshotError):
        other.restore(handles)
    client.discard([*handles, "another"])
    client.discard(handles[0])
    with pytest.raises(UnknownSnapshotError) as told:
        client.restore(handles[0])
    assert told.value.__notes__ == ["In lane 0; 2 of 2 lanes have an error"]
    client.restore(moved[0])


def test_what_cannot_be_is_told(player: Player) -> None:
    client = player.open(Unsaved)
    for call in (client.snapshot, lambda: client.restore("a"), lambda: client.fork("a")):
        with pytest.raises(SnapshotsUnsupportedError):
            call()
    client = player.open(Walk)
    handles = client.snapshot()
    with pytest.raises(ValueError, match="1 snapshots for 2 lanes"):
        client.restore(handles[:1])
    client.reset(start=-100, lanes=[1])
    bad = client.snapshot()
    with pytest.raises(ExecutionError, match="not from there"):
        client.restore(bad)
    with pytest.raises(ExecutionError, match="not from there"):
        client.fork(bad)
    assert client.num_envs == 2
    client.restore(handles)


@pytest.mark.parametrize("twin", ["async", "sync"])
def test_a_snapshot_that_fails_in_one_lane_leaves_none_behind(twin: str) -> None:
    app = create_app(Walk, max_concurrent_envs=3, max_snapshots=2)
    client: Any = VectorEnvClient(app=app, num_envs=3)

    async def ask() -> None:
        async with client:
            await client.snapshot()

    def ask_sync() -> None:
        with client.sync() as made:
            made.snapshot()

    with pytest.raises(SnapshotLimitError, match="discard"):
        asyncio.run(ask()) if twin == "async" else ask_sync()
    assert len(app.state.server.pool.snapshots) == 0


def test_a_server_holds_no_more_forks_than_environments(player: Player) -> None:
    client = player.open(Walk, most=3)
    handles = client.snapshot()
    if player.place == "env":  # as many as the trainer's own memory holds
        assert client.fork([handles[0]] * 50)[-1] == 51
        return
    with pytest.raises(CapacityError):
        client.fork(handles)
    assert client.fork(handles[:1]) == [2]


def test_after_close_there_are_as_many_lanes_as_were_asked_for(player: Player) -> None:
    client = player.open(Walk)
    client.fork(client.snapshot())
    client.close()
    assert client.num_envs == 2
    assert client.reset().lanes == [0, 1]


def test_a_short_key_is_refused() -> None:
    client = VectorEnvClient(env=Walk, snapshot_key="short").sync()
    with pytest.raises(ConfigurationError, match="16"):
        client.connect()
    client.close()


CHILD = """
import sys
from openenv_lite import VectorEnvClient
from tests.snapshots.worlds import {kind}
with VectorEnvClient(env={kind}, snapshot_key={key!r}).sync() as client:
    [lane] = client.fork(client.import_([sys.stdin.buffer.read()]))
    for _ in range(3):
        print(client.step([{{"amount": 1}}], lanes=[lane]).observations[0])
"""


@pytest.mark.parametrize("hash_seed", ["0", "1"])
@ALL
def test_the_future_is_the_same_in_another_process(kind: Any, hash_seed: str) -> None:
    with VectorEnvClient(env=kind, snapshot_key=KEY).sync() as client:
        client.reset(seeds=3)
        client.step(add(1))
        [data] = client.export(client.snapshot())
        future = [str(client.step(add(1)).observations[0]) for _ in range(3)]
    child = subprocess.run(
        [sys.executable, "-c", CHILD.format(kind=kind.__name__, key=KEY)],
        input=data,
        env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert child.stdout.decode().splitlines() == future


class Slow(Awaiting):
    """The constructor of a fork ends when the test says so."""

    async def snapshot(self) -> int:
        return self.total

    async def restore(self, saved: int) -> None:
        await GATE.wait()
        self.total = saved


GATE = asyncio.Event()


@pytest.mark.parametrize("place", ["app", "env"])
def test_lanes_of_a_fork_nobody_waits_for_are_nobodys(place: str) -> None:
    """Told too late, the new lanes are closed with the next fork and never stepped."""

    async def run() -> None:
        global GATE
        GATE = asyncio.Event()
        app = create_app(Slow, max_concurrent_envs=4)
        where: Any = {"app": app} if place == "app" else {"env": Slow}
        async with VectorEnvClient(**where, num_envs=2, message_timeout_s=5) as client:
            await client.reset()
            handles = await client.snapshot()
            asking = asyncio.create_task(client.fork(handles))
            await asyncio.sleep(0.05)
            carrier: Any = client._carrier
            send, client._carrier = carrier.send, carrier

            async def unsent(request: Any) -> None:
                """The server never hears that it was called off."""

            carrier.send = unsent
            asking.cancel()
            await asyncio.wait([asking])
            carrier.send = send
            GATE.set()
            await asyncio.sleep(0.05)
            assert client.num_envs == 2
            assert len(Slow.alive) == 4
            assert (await client.step(add(1, 1))).lanes == [0, 1]
            assert len(await client.state()) == 2
            assert await client.fork(handles) == [4, 5]
            assert (await client.step(add(0, 0, 0, 0))).lanes == [0, 1, 4, 5]
            assert len(Slow.alive) == 4
        assert not Slow.alive

    asyncio.run(run())


def test_a_fork_that_is_called_off_leaves_no_lane() -> None:
    async def run() -> None:
        global GATE
        GATE = asyncio.Event()
        app = create_app(Slow, max_concurrent_envs=4)
        async with VectorEnvClient(app=app, num_envs=2, message_timeout_s=0.3) as client:
            await client.reset()
            handles = await client.snapshot()
            with pytest.raises(ReplyTimeoutError):
                await client.fork(handles)
            GATE.set()
            assert (await client.step(add(1, 1))).lanes == [0, 1]
            assert await client.fork(handles) == [2, 3]

    asyncio.run(run())


def test_a_class_that_is_another_is_refused() -> None:
    class Other(Inline):
        def snapshot(self) -> int:
            return self.total

        def restore(self, saved: int) -> None:
            self.total = saved

    with (
        VectorEnvClient(env=Walk, snapshot_key=KEY).sync() as client,
        VectorEnvClient(env=Other, snapshot_key=KEY).sync() as other,
        pytest.raises(SnapshotMismatchError, match="Other"),
    ):
        client.import_(other.export(other.snapshot()))
