"""Clients that record: the twins, over a socket and in this process, one session or many."""

import asyncio
import contextlib
import functools
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openenv_lite import create_app
from openenv_lite.batches import Autoreset
from openenv_lite.client import EnvClient, GenericEnvClient, MCPToolClient, VectorEnvClient
from openenv_lite.client.recorded_lane import Seat
from openenv_lite.errors import (
    ConfigurationError,
    ConnectionLostError,
    ExecutionError,
    ReplyTimeoutError,
)
from openenv_lite.recording import Trajectory, load
from openenv_lite.recording.account import Account
from openenv_lite.recording.events import About
from openenv_lite.recording.recorder import Recorder
from openenv_lite.types import State, StepResult
from tests.client.serving import Peer, playing, serve
from tests.environments import Threaded
from tests.recording.telling import Await, Dice, Guess, Seen, Thread

EVERY_EXECUTOR = pytest.mark.parametrize("kind", [Dice, Thread, Await])
WIRES = ["tcp", "app"]


@contextlib.contextmanager
def place(wire: str, kind: Any, **settings: Any) -> Iterator[dict[str, Any]]:
    """The arguments that say where a client plays."""
    if wire == "env":
        yield {"env": kind}
        return
    app = create_app(kind, **settings)
    if wire == "app":
        yield {"app": app}
        return
    with serve(app) as url:
        yield {"base_url": url}


def alike(ours: list[Trajectory], theirs: list[Trajectory]) -> None:
    """What a client told is what the server told of the same sessions."""
    assert sorted(map(shown, ours), key=repr) == sorted(map(shown, theirs), key=repr)


def shown(episode: Trajectory) -> Any:
    beginning = episode.session, episode.seed, episode.options, episode.observation
    acts = [
        (act.action["number"], act.observation, act.reward, act.done, act.truncated, act.code)
        for act in episode.acts
    ]
    return beginning, episode.metadata, acts, episode.is_over, episode.is_whole


@pytest.mark.parametrize("wire", WIRES)
@EVERY_EXECUTOR
def test_both_ends_of_a_session_tell_the_same(kind: Any, wire: str, tmp_path: Path) -> None:
    path = tmp_path / "client"
    with (
        place(wire, kind, record_dir=str(tmp_path / "server")) as where,
        GenericEnvClient(**where, record=path).sync() as env,
    ):
        env.reset(seed=3, start=1)
        with pytest.raises(ExecutionError):
            env.step({"number": -1})
        with pytest.raises(RuntimeError, match="Invalid message"):
            env.step({"nummer": 1})
        env.state()
        for number in range(4):
            env.step({"number": number})
        env.reset()
        env.new_session().reset(seed=4)
    ours, theirs = load(path), load(tmp_path / "server")
    alike(ours, theirs)
    assert [len(episode.acts) for episode in ours] == [5, 0, 0]
    assert ours[0].environment == (where.get("base_url") or "http://in-process")


@pytest.mark.parametrize("wire", WIRES)
def test_the_async_twin_tells_the_same_with_types_too(wire: str, tmp_path: Path) -> None:
    path = tmp_path / "client"

    async def play(where: dict[str, Any]) -> None:
        client = EnvClient[Guess, Seen, State](**where, record=path)
        async with client as env:
            first = await env.reset(seed=3)
            assert isinstance(first.observation, Seen)
            await env.step(Guess(number=1))

    with place(wire, Thread, record_dir=str(tmp_path / "server")) as where:
        asyncio.run(play(where))
    alike(load(path), load(tmp_path / "server"))


def test_several_clients_append_to_one_file(tmp_path: Path) -> None:
    for seed in range(3):
        with GenericEnvClient(app=create_app(Dice), record=tmp_path / "f").sync() as env:
            env.reset(seed=seed)
    assert [episode.seed for episode in load(tmp_path / "f")] == [0, 1, 2]


def test_a_file_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    for make in (GenericEnvClient, VectorEnvClient):
        with pytest.raises(ConfigurationError, match="choose another file"):
            make(app=create_app(Dice), record=tmp_path)


def test_without_it_nothing_stands_between_client_and_connection() -> None:
    with GenericEnvClient(app=create_app(Dice)).sync() as env:
        env.reset()
        assert type(env._transport).__name__ == "SyncInProcess"
    with VectorEnvClient(env=Dice).sync() as envs:
        envs.reset()
        assert type(envs._carrier).__name__ == "SyncEnvs"


def test_an_agents_client_says_who_records(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="recorded by the server"):
        MCPToolClient(app=create_app(Dice), record=tmp_path / "f")


@pytest.mark.usefixtures("gate")
def test_a_reply_that_came_too_late_is_told_and_one_that_never_came_is_too(tmp_path: Path) -> None:
    async def play() -> None:
        app = create_app(Threaded)
        async with GenericEnvClient(app=app, record=tmp_path / "f", message_timeout_s=0.05) as env:
            await env.reset()
            with pytest.raises(ReplyTimeoutError):
                await env.step({"amount": -1})
            Threaded.gate.set()
            await env.step({"amount": 1})
            Threaded.gate.clear()
            with pytest.raises(ReplyTimeoutError):
                await env.step({"amount": -1})
            Threaded.gate.set()

    asyncio.run(play())
    (episode,) = load(tmp_path / "f")
    late, quick, never = episode.acts
    assert (late.observation["total"], quick.observation["total"]) == (-1, 0)
    assert (never.code, never.observation) == ("TRANSPORT_ERROR", None)


def test_an_episode_that_is_resumed_is_one_episode(tmp_path: Path) -> None:
    async def breaks(peer: Peer) -> None:
        await peer.accept("the-id")
        await peer.request()
        await peer.observe(n=0)
        await peer.request()
        await peer.close(1012)

    async def goes_on(peer: Peer) -> None:
        await peer.accept("the-id")
        await peer.echo()

    with GenericEnvClient(app=playing(breaks, goes_on), record=tmp_path / "f").sync() as env:
        env.reset(seed=3)
        with pytest.raises(ConnectionError):
            env.step({"n": 1})
        env.step({"n": 2})
    (episode,) = load(tmp_path / "f")
    lost, went_on = episode.acts
    assert (episode.session, lost.code) == ("the-id", "TRANSPORT_ERROR")
    assert went_on.action == {"n": 2}
    assert episode.is_over


def test_what_a_strange_server_sends_is_told_as_it_is(tmp_path: Path) -> None:
    async def strange(peer: Peer) -> None:
        await peer.accept()
        await peer.request()
        data = {"observation": {"a": [1, {"b": None}]}, "reward": "much", "done": False}
        await peer.send("observation", data)
        await peer.request()
        await peer.fail("BANANA", "slipped")
        await peer.request()

    with GenericEnvClient(app=playing(strange), record=tmp_path / "f").sync() as env:
        with pytest.raises(RuntimeError):
            env.reset()
        with pytest.raises(RuntimeError, match="slipped"):
            env.step({"n": 1})
    (episode, after) = load(tmp_path / "f")
    assert "cannot be read" in episode.error
    assert after.acts[0].error == "OpenEnvError: slipped"


@pytest.mark.parametrize("wire", ["env", *WIRES])
@pytest.mark.parametrize("autoreset", ["disabled", "same_step", "next_step"])
@EVERY_EXECUTOR
def test_both_ends_of_lanes_tell_the_same(
    kind: Any, autoreset: str, wire: str, tmp_path: Path
) -> None:
    options: Any = {"autoreset": autoreset, "record": tmp_path / "client", "num_envs": 3}
    server = tmp_path / "server"
    with (
        place(wire, kind, record_dir=str(server)) as where,
        VectorEnvClient(**where, **options).sync() as envs,
    ):
        envs.reset(seeds=7, start=1)
        envs.step([{"number": 2}, {"nummer": 1}, {"number": -1}])
        for number in range(3 if autoreset == "disabled" else 9):
            envs.step([{"number": number % 6}] * 3)
        envs.step([{"number": 2}], lanes=[1])
        envs.reset(lanes=[2])
        envs.state()
    ours = load(tmp_path / "client")
    assert [episode.seed for episode in ours if episode.seed is not None] == [7, 8, 9]
    assert all(episode.is_over and episode.is_whole for episode in ours)
    if wire == "env":
        assert ours[0].environment == f"tests.recording.telling:{kind.__name__}"
    else:
        alike(
            [each for each in ours if each.acts or each.observation],
            [each for each in load(server) if each.acts or each.observation],
        )


@pytest.mark.parametrize("wire", ["env", *WIRES])
@EVERY_EXECUTOR
def test_lanes_told_of_when_they_are_ready_are_told_in_their_order(
    kind: Any, wire: str, tmp_path: Path
) -> None:
    options: Any = {"autoreset": "same_step", "num_envs": 4, "batch_size": 2}
    with (
        place(wire, kind, record_dir=str(tmp_path / "server")) as where,
        VectorEnvClient(**where, record=tmp_path / "client", **options).sync() as envs,
    ):
        envs.send_reset(seeds=1)
        for number in range(20):
            ready = envs.recv()
            envs.send([{"number": number % 6}] * 2, lanes=ready.lanes)
        for _ in range(2):
            envs.recv()
    ours = load(tmp_path / "client")
    assert all(episode.is_whole for episode in ours)
    if wire != "env":
        alike(ours, load(tmp_path / "server"))


@pytest.mark.parametrize("wire", ["env", *WIRES])
def test_overlapping_calls_for_a_lane_are_told_in_the_order_they_were_sent(
    wire: str, tmp_path: Path
) -> None:
    async def play(where: dict[str, Any]) -> None:
        async with VectorEnvClient(**where, num_envs=2, record=tmp_path / "f") as envs:
            await envs.reset(seeds=1)
            numbers = [0, 1, 2, 3]
            await asyncio.gather(
                *(envs.step([{"number": n}] * 2) for n in numbers[:2]),
                *(envs.step([{"number": n}], lanes=[1]) for n in numbers[2:]),
            )

    with place(wire, Await) as where:
        asyncio.run(play(where))
    first, second = load(tmp_path / "f")
    assert [act.action["number"] for act in first.acts] == [0, 1]
    assert [act.action["number"] for act in second.acts] == [0, 1, 2, 3]


def test_what_is_known_when_the_connection_is_lost_is_told_after_what_is_not(
    tmp_path: Path,
) -> None:
    recorder = Recorder.to_file(tmp_path / "f")
    recorder.join()
    seat = Seat(Account(recorder, "s", About("m:Env")), Autoreset.DISABLED)
    seat.call(functools.partial(seat.reset, {})).settle(StepResult({"n": 0}, None, False))
    seat.call(functools.partial(seat.step, '"asked"'))
    seat.call(functools.partial(seat.step, '"answered"')).settle(StepResult({"n": 2}, 1, False))
    seat.lose()
    recorder.leave()
    (episode,) = load(tmp_path / "f")
    lost, answered = episode.acts
    assert (lost.action, lost.code) == ("asked", "TRANSPORT_ERROR")
    assert (answered.action, answered.observation) == ("answered", {"n": 2})


@pytest.mark.parametrize("wire", ["env", *WIRES])
def test_snapshots_restored_and_forked_are_told(wire: str, tmp_path: Path) -> None:
    with (
        place(wire, Thread) as where,
        VectorEnvClient(**where, num_envs=1, record=tmp_path / "f").sync() as envs,
    ):
        envs.reset(seeds=3)
        envs.step([{"number": 1}])
        (saved,) = envs.snapshot()
        envs.restore(saved)
        envs.step([{"number": 2}])
        (lane,) = envs.fork(saved)
        envs.step([{"number": 3}], lanes=[lane])
    original, restored, forked = load(tmp_path / "f")
    assert original.restored == ""
    assert restored.restored == forked.restored != ""
    assert saved not in (tmp_path / "f").read_text()
    assert [each.acts[-1].action["number"] for each in (original, restored, forked)] == [1, 2, 3]
    assert restored.session == original.session != forked.session


def test_lanes_taken_up_again_are_the_same_episodes(tmp_path: Path) -> None:
    """A step after the end is known for the reset that it is, over a lost connection too."""
    server, path = tmp_path / "server", tmp_path / "client"
    with (
        place("tcp", Thread, record_dir=str(server)) as where,
        VectorEnvClient(**where, num_envs=2, autoreset="next_step", record=path).sync() as envs,
    ):
        envs.reset(seeds=1)
        for number in range(4):
            envs.step([{"number": number}, {"number": number}])
        carrier: Any = envs._carrier
        carrier._inner._transport._socket.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(ConnectionLostError):
            envs.state()
        assert envs.step([{"number": 1}] * 2).done == [False, False]
        envs.step([{"number": 1}] * 2)
    ours = load(path)
    assert [len(episode.acts) for episode in ours] == [4, 1] * 2
    alike(ours, load(server))
