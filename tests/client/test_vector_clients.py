"""Both twins of the vector client, wherever the lanes are, in both encodings."""

import asyncio
import contextlib
import functools
import gc
import threading
from typing import Any

import numpy as np
import pytest

from openenv_lite import Environment, Observation, State, create_app
from openenv_lite.client import VectorEnvClient
from openenv_lite.errors import (
    CapacityError,
    ConnectionFailedError,
    EpisodeDoneError,
    ExecutionError,
    FactoryError,
    InvalidMessageError,
    ReplyTimeoutError,
    RequestError,
    ResetRequiredError,
    UnknownLaneError,
)
from tests.client.players import Player
from tests.client.serving import Peer, playing, serve
from tests.environments import Add, Awaiting, Count, Inline, Threaded


def add(*amounts: int) -> list[dict[str, int]]:
    return [{"amount": amount} for amount in amounts]


def totals(result: Any) -> list[int]:
    return [seen["total"] for seen in result.observations]


@pytest.mark.parametrize("env", [Inline, Threaded, Awaiting])
def test_all_lanes_are_reset_and_stepped_together(player: Player, env: Any) -> None:
    client = player.open(env)
    assert totals(client.reset(start=1)) == [1, 1]
    result = client.step(add(1, 2))
    assert (result.lanes, totals(result), result.done) == ([0, 1], [2, 3], [False, True])
    assert (result.truncated, result.terminated, len(result)) == ([False] * 2, [False, True], 2)
    assert result[1].observation["total"] == 3
    assert [state["step_count"] for state in client.state()] == [1, 1]
    assert len({*client.sessions}) == 2


def test_some_lanes_are_told_of_in_the_order_they_were_named(player: Player) -> None:
    client = player.open(Inline, num_envs=3)
    client.reset()
    result = client.step([Add(amount=1), Add(amount=2)], lanes=[2, 0])
    assert (result.lanes, totals(result), result.rewards) == ([2, 0], [1, 2], [1, 2])
    assert totals(client.reset(lanes=[2], start=1)) == [1]
    assert totals(client.step(add(0, 0, 0))) == [2, 0, 1]


def test_seeds_are_one_a_lane(player: Player) -> None:
    client = player.open(Inline, num_envs=3)

    def draws(seeds: Any) -> list[float]:
        return [each["draw"] for each in client.reset(seeds=seeds).metadata.values()]

    first = draws(7)
    assert len({*first}) == 3
    assert draws([9, 8, 7]) == first[::-1]


def test_an_error_is_told_of_its_lane_alone(player: Player) -> None:
    client = player.open(Inline, num_envs=5)
    assert isinstance(client.step(add(0) * 5).errors[4], ResetRequiredError)
    client.reset()
    client.step(add(3), lanes=[1])
    mixed = [*add(1, 1), {"amount": "much"}, *add(1, 1)]
    result = client.step(mixed, lanes=[0, 1, 2, 7, 4])
    kinds = {lane: type(error) for lane, error in result.errors.items()}
    assert kinds == {1: EpisodeDoneError, 2: InvalidMessageError, 7: UnknownLaneError}
    assert (result.rewards, result.done) == ([1, None, None, None, 1], [False] * 5)
    assert (result.observations[1], result[4].observation["total"]) == (None, 1)
    with pytest.raises(EpisodeDoneError):
        result[1]
    with pytest.raises(EpisodeDoneError) as caught:
        result.raise_errors()
    assert caught.value.__notes__ == ["In lane 1; 3 of 5 lanes have an error"]


def test_an_array_is_a_list_of_actions(player: Player) -> None:
    client = player.open(Adding)
    client.reset()
    assert client.step(np.array([1, 2])).rewards == [1, 2]
    assert client.step([np.int64(3), 4]).rewards == [3, 4]


class Adding(Environment[int, Observation, State]):
    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def reset(self, seed: int | None = None) -> Any:
        return Observation()

    def step(self, action: int) -> Any:
        return Observation(reward=action)


class Typed(VectorEnvClient[Add, Count, State]):
    """Types named once."""


@pytest.mark.parametrize("kind", [Typed, VectorEnvClient[Add, Count, State]])
def test_named_types_are_decoded(player: Player, kind: Any) -> None:
    client = player.open(Inline, kind)
    client.reset()
    result = client.step([Add(amount=1), Add(amount=3)])
    assert result.observations == [
        Count(total=1, reward=1),
        Count(total=3, reward=3, done=True),
    ]
    assert client.step(add(0), lanes=[0]).observations == [Count(total=1, reward=0)]
    assert client.state()[0] == State(episode_id=client.state()[0].episode_id, step_count=2)


def test_next_step_begins_the_next_episode(player: Player) -> None:
    client = player.open(Inline, autoreset="next_step")
    client.reset()
    assert client.step(add(3, 1)).done == [True, False]
    result = client.step(add(1, 1))
    assert (totals(result), result.rewards, result.done) == ([0, 2], [0, 1], [False, False])


def test_same_step_tells_of_both_episodes(player: Player) -> None:
    client = player.open(Inline, Typed, autoreset="same_step")
    client.reset()
    result = client.step(add(3, 1))
    assert (result.rewards, result.done) == ([3, 1], [True, False])
    assert result.observations[0] == Count(total=0, metadata=result.observations[0].metadata)
    final = result.final[0]
    assert (final.reward, final.done) == (3, True)
    assert final.observation == Count(total=3, reward=3, done=True)
    assert [*result.final] == [0]


def test_results_are_received_in_the_order_of_sending(player: Player) -> None:
    client = player.open(Inline)
    client.send_reset(start=1)
    client.send(add(1), lanes=[1])
    client.send(add(0, 0))
    client.send(add(1), lanes=[0])
    assert totals(client.step(add(0, 0))) == [2, 2]
    received = [client.recv() for _ in range(4)]
    assert [each.lanes for each in received] == [[0, 1], [1], [0, 1], [0]]
    assert [totals(each) for each in received] == [[1, 1], [2], [1, 2], [2]]
    with pytest.raises(RequestError, match=r"send\(\)"):
        client.recv()


class Slow(Inline):
    """A step of a negative amount waits for the gate of the number that is its seed."""

    BLOCKING = True
    gates: dict[int, threading.Event]

    def reset(self, seed: int | None = None, start: int = 0) -> Any:
        self.number = seed or 0
        return super().reset(start=start)

    def step(self, action: Add, bonus: int = 0) -> Any:
        if action.amount < 0:
            assert self.gates[self.number].wait(20)
        return super().step(action, bonus)


def slow(count: int) -> Any:
    return type("Slow", (Slow,), {"gates": {i: threading.Event() for i in range(count)}})


def test_with_a_batch_size_the_first_that_are_ready_are_received(player: Player) -> None:
    env = slow(4)
    client = player.open(env, num_envs=4, batch_size=2)
    client.send_reset(seeds=0)
    assert sorted([*client.recv().lanes, *client.recv().lanes]) == [0, 1, 2, 3]
    client.send(add(-1, 1, -1, 1))
    assert {*client.recv().lanes} == {1, 3}
    client.send(add(1, 1), lanes=[3, 1])
    assert {*client.recv().lanes} == {1, 3}
    for gate in env.gates.values():
        gate.set()
    last = client.recv()
    assert {*last.lanes} == {0, 2}
    assert totals(last) == [-1, -1]
    with pytest.raises(InvalidMessageError, match="wait"):
        client.recv()


def test_a_call_that_times_out_costs_its_reply_only(player: Player) -> None:
    env = slow(2)
    client = player.open(env, message_timeout_s=0.3)
    client.reset(seeds=0)
    with pytest.raises(ReplyTimeoutError, match=r"0\.3 s"):
        client.step(add(-1, 1))
    assert totals(client.step(add(1), lanes=[1])) == [2]
    env.gates[0].set()
    assert totals(client.reset()) == [0, 0]
    assert totals(client.step(add(1, 2))) == [1, 2]


def test_a_recv_that_times_out_loses_nothing(player: Player) -> None:
    env = slow(2)
    client = player.open(env, message_timeout_s=0.3)
    client.reset(seeds=0)
    client.send(add(-1, 1))
    with pytest.raises(ReplyTimeoutError):
        client.recv()
    env.gates[0].set()
    assert totals(client.recv()) == [-1, 1]


def test_lanes_are_had_all_or_none(player: Player) -> None:
    client = player.open(Inline, num_envs=9)
    if player.place == "env":  # where there are as many as are asked for
        assert len(client.reset()) == 9
        return
    with pytest.raises(CapacityError):
        client.reset()
    assert client.sessions == []
    assert not Inline.alive


def test_an_environment_that_cannot_be_built_is_told(player: Player) -> None:
    class Broken(Inline):
        def __init__(self) -> None:
            raise ValueError("no display")

    with pytest.raises(FactoryError, match="Broken"):
        player.open(Broken).connect()


def test_closing_frees_the_environments_and_a_later_call_begins_anew(player: Player) -> None:
    client = player.open(Inline)
    client.connect()
    assert len(Inline.alive) == 2
    first = client.sessions
    client.close()
    assert not Inline.alive
    assert client.sessions == []
    assert totals(client.reset(start=2)) == [2, 2]
    assert not {*first} & {*client.sessions}
    client.close()
    client.close()


def test_actions_are_counted_before_anything_is_sent(player: Player) -> None:
    client = player.open(Inline)
    client.reset()
    with pytest.raises(ValueError, match="3 actions for 2 lanes"):
        client.step(add(1, 1, 1))
    assert totals(client.step(add(0, 0))) == [0, 0]


class Seen(Observation):
    image: Any = None
    board: list[float] = []


class Picturing(Environment[Add, Seen, State]):
    """Shows one array, which it goes on to change, and calls another a list."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def reset(self, seed: int | None = None) -> Any:
        self.image = np.zeros((2, 3), "<f4")
        return self.seen()

    def step(self, action: Add) -> Any:
        self.image += action.amount
        return self.seen()

    def seen(self) -> Seen:
        return Seen(image=self.image, board=self.image[0])


def test_arrays_stay_arrays_and_are_the_trainers_own(player: Player) -> None:
    client = player.open(Picturing)
    first = client.reset().observations[0]["image"]
    second = client.step(add(1, 2)).observations[1]["image"]
    assert np.array_equal(first, np.zeros((2, 3)))
    assert np.array_equal(second, np.full((2, 3), 2.0))


def test_an_array_fits_what_a_type_calls_a_list(player: Player) -> None:
    client = player.open(Picturing, VectorEnvClient[Add, Seen, State])
    client.reset()
    seen = client.step(add(1, 2)).observations[1]
    assert seen.board == [2.0, 2.0, 2.0]


class Unsendable(Adding):
    def step(self, action: int) -> Any:
        return Observation(metadata={"it": object()} if action else {})


def test_what_cannot_be_sent_is_its_lanes_error(player: Player) -> None:
    client = player.open(Unsendable)
    client.reset()
    result = client.step([0, 1])
    assert [*result.errors] == [1]
    assert isinstance(result.errors[1], ExecutionError)


def test_a_type_the_observations_do_not_fit_is_told(player: Player) -> None:
    client = player.open(Inline, VectorEnvClient[Any, Adding, State])
    with pytest.raises(InvalidMessageError, match="types of this client"):
        client.reset()


@pytest.mark.parametrize("wire", ["tcp", "app"])
@pytest.mark.parametrize("twin", ["async", "sync"])
def test_a_server_that_knows_no_lanes_is_said_to(twin: str, wire: str) -> None:
    async def plain(peer: Peer) -> None:
        await peer.accept()
        await peer.echo()

    with contextlib.ExitStack() as stack:
        app = playing(plain)
        where: Any = (
            {"app": app} if wire == "app" else {"base_url": stack.enter_context(serve(app))}
        )
        client = VectorEnvClient(**where, num_envs=2)
        stack.enter_context(
            pytest.raises(ConnectionFailedError, match="use one EnvClient for each")
        )
        if twin == "sync":
            stack.enter_context(client.sync())
        else:
            asyncio.run(client.__aenter__())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "one of base_url, app and env"),
        ({"base_url": "http://h", "env": Inline}, "one of base_url, app and env"),
        ({"base_url": "h"}, "base_url must be"),
        ({"env": Inline, "num_envs": 0}, "num_envs"),
        ({"env": Inline, "batch_size": 2}, "batch_size"),
        ({"env": Inline, "encoding": "xml"}, "encoding"),
        ({"env": Inline, "autoreset": "sometimes"}, "sometimes"),
        ({"env": Inline, "mode": "test"}, "test"),
    ],
)
def test_arguments_nobody_can_play_with_are_refused_at_once(options: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        VectorEnvClient(**options)


def test_an_option_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="batchsize"):
        VectorEnvClient(env=Inline, **{"batchsize": 1})  # type: ignore[arg-type]


def test_in_process_it_plays_what_it_plays_over_a_socket() -> None:
    play = functools.partial(_trajectory, num_envs=3, autoreset="same_step")
    with serve(create_app(Inline, max_concurrent_envs=8)) as url:
        expected = play(base_url=url)
    assert play(env=Inline) == expected
    assert play(env=Inline, encoding="json") == expected
    assert play(app=create_app(Inline, max_concurrent_envs=8)) == expected


def _trajectory(**options: Any) -> list[Any]:
    with VectorEnvClient(**options).sync() as client:
        return [
            client.reset(seeds=5),
            *[client.step(add(turn % 3, 1, turn % 2)) for turn in range(12)],
        ]


def test_inline_steps_in_process_touch_no_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    with VectorEnvClient(env=Inline, num_envs=2).sync() as client:
        client.reset()
        with monkeypatch.context() as patch:
            patch.setattr(client, "_loop", None)
            patch.setattr(client._carrier, "_loop", None)
            assert totals(client.step(add(1, 1))) == [1, 1]
            client.send(add(1, 1))
            assert totals(client.recv()) == [2, 2]


def test_the_collector_stays_as_the_trainer_has_it() -> None:
    with VectorEnvClient(env=Inline, num_envs=200).sync() as client:
        client.reset()
        assert gc.isenabled()
        gc.disable()
        try:
            client.step(add(1) * 200)
            assert not gc.isenabled()
        finally:
            gc.enable()


def test_the_sync_client_starts_no_thread_for_an_inline_class() -> None:
    before = threading.active_count()
    with VectorEnvClient(env=Inline, num_envs=2).sync() as client:
        client.reset()
        assert threading.active_count() == before


def test_what_cannot_be_sent_spoils_nothing(player: Player) -> None:
    client = player.open(Inline)
    client.reset(seeds=0)
    with pytest.raises((TypeError, NotImplementedError)):
        client.send([object(), object()])
    client.send(add(1, 2))
    assert totals(client.recv()) == [1, 2]


def test_who_leaves_while_something_is_owed_is_troubled_by_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for _ in range(20):
        with VectorEnvClient(env=Inline, num_envs=3, batch_size=2).sync() as client:
            client.reset()
            client.send(add(0, 0, 0))
            client.send(add(0, 0), lanes=client.recv().lanes)
    gc.collect()
    assert caplog.records == []


def test_an_action_without_its_list_is_refused_before_it_is_sent() -> None:
    with VectorEnvClient(env=Inline, num_envs=1).sync() as envs:
        envs.reset()
        with pytest.raises(TypeError, match="give a list with one for each lane"):
            envs.step({"n": 1})
        assert envs.step([{"amount": 1}]).errors == {}
