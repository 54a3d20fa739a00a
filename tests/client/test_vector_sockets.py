"""What happens to lanes on a real connection: losses, overlapping calls, calls called off."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from openenv_lite import create_app
from openenv_lite.client import VectorEnvClient
from openenv_lite.errors import ConfigurationError, ConnectionLostError
from tests.client.conftest import Blocking, socket_path
from tests.client.serving import serve
from tests.client.test_vector_clients import add, totals
from tests.environments import Awaiting, Inline, Threaded
from tests.snapshots.worlds import Walk


class Pair(NamedTuple):
    """A client, and how to cut its connection."""

    client: Any
    cut: Callable[[], None]


@pytest.fixture(params=["async", "sync"])
def open_pair(request: pytest.FixtureRequest) -> Iterator[Callable[..., Pair]]:
    with contextlib.ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner())

        def make(env: Any = Inline, num_envs: int = 2, most: int | None = None) -> Pair:
            app = create_app(env, max_concurrent_envs=most or num_envs)
            url = stack.enter_context(serve(app, socket_path(stack)))
            client = VectorEnvClient(url, num_envs=num_envs)
            made: Any = client.sync() if request.param == "sync" else Blocking(client, runner)
            stack.callback(made.close)

            def cut() -> None:
                if request.param == "sync":
                    made._carrier._transport._socket.shutdown(socket.SHUT_RDWR)
                else:
                    runner.run(cut_async(client))

            return Pair(made, cut)

        yield make


async def cut_async(client: Any) -> None:
    inbox = client._carrier._transport._inbox
    told, ended = asyncio.Event(), inbox._ended

    def note(loss: ConnectionLostError) -> None:
        ended(loss)
        told.set()

    inbox._ended = note
    client._carrier._transport._connection.disconnect(False)
    await told.wait()


def seen(result: Any) -> list[Any]:
    assert result.errors == {}
    return list(zip(result.observations, result.rewards, result.done, strict=True))


def test_after_a_loss_the_lanes_go_on_where_they_were(open_pair: Callable[..., Pair]) -> None:
    client, cut = open_pair()
    client.reset()
    client.step(add(1, 0))
    sessions = client.sessions
    cut()
    with contextlib.suppress(ConnectionLostError):  # the sync client notices when it reads
        client.state()
    assert totals(client.step(add(1, 1))) == [2, 1]
    assert client.sessions == sessions


def test_after_a_loss_forks_go_on_as_well_under_their_numbers(
    open_pair: Callable[..., Pair],
) -> None:
    client, cut = open_pair(Walk, most=9)
    client.reset(seeds=1)
    handles = client.snapshot()
    assert client.fork(handles[0]) == [2]
    exchange = client._exchange
    late = client._call(exchange.fork(handles))
    exchange.give_up(late.id)
    exchange.told(late)  # after nobody waited for it any more
    assert client.step(add(0, 0, 0)).lanes == [0, 1, 2]
    assert client.fork(handles[1]) == [5]
    assert client.fork(handles[1]) == [6]
    client.close_lanes([5])
    client.restore([handles[0], handles[1], handles[0], handles[1]])
    future = seen(client.step(add(1, 1, 1, 1)))
    client.restore([handles[0], handles[1], handles[0], handles[1]])
    sessions = client.sessions
    cut()
    with contextlib.suppress(ConnectionLostError):  # the sync client notices when it reads
        client.state()
    result = client.step(add(1, 1, 1, 1))
    assert (result.lanes, seen(result)) == ([0, 1, 2, 6], future)
    assert client.sessions == sessions


def test_lanes_that_are_gone_can_only_be_begun_anew(open_pair: Callable[..., Pair]) -> None:
    client, cut = open_pair()
    client.reset()
    cut()
    client._exchange._sessions = {0: "unknown", 1: "to the server"}
    for _ in range(2):
        with pytest.raises(ConnectionLostError):
            client.step(add(1, 1))
    with pytest.raises(ConnectionLostError, match=r"call reset\(\)"):
        client.reset(lanes=[0])
    assert totals(client.reset()) == [0, 0]
    assert totals(client.step(add(1, 1))) == [1, 1]


def test_what_was_sent_and_lost_is_told_once(open_pair: Callable[..., Pair]) -> None:
    client, cut = open_pair(Threaded)
    client.reset()
    Threaded.gate.clear()
    client.send(add(-1, 1))
    client.send(add(1), lanes=[1])
    cut()
    Threaded.gate.set()
    with pytest.raises(ConnectionLostError):
        client.recv()
    assert client.step(add(0, 0)).errors == {}


def test_much_may_be_sent_before_anything_is_received(open_pair: Callable[..., Pair]) -> None:
    client, _ = open_pair(Awaiting)
    client.reset()
    large = [{"amount": 0, "metadata": {"x": "y" * 300_000}}] * 2
    for _ in range(20):
        client.send(large)
    assert [totals(client.recv()) for _ in range(20)] == [[0, 0]] * 20


def test_overlapping_calls_each_get_their_own_reply() -> None:
    async def scenario(url: str) -> list[Any]:
        async with VectorEnvClient(url, num_envs=4) as client:
            await client.reset()
            calls = [client.step(add(1), lanes=[n % 4]) for n in range(8)]
            return [(each.lanes, totals(each)) for each in await asyncio.gather(*calls)]

    with serve(create_app(Inline, max_concurrent_envs=4)) as url:
        told = asyncio.run(scenario(url))
    assert told == [([n % 4], [1 + n // 4]) for n in range(8)]


@pytest.mark.parametrize("wire", ["tcp", "app", "env"])
def test_a_cancelled_call_is_called_off_on_the_server(wire: str) -> None:
    Awaiting.cancelled.clear()

    async def scenario(**where: Any) -> None:
        async with VectorEnvClient(**where, num_envs=2) as client:
            await client.reset()
            call = asyncio.create_task(client.step(add(-1, 1)))
            other = asyncio.create_task(client.step(add(1), lanes=[1]))
            assert totals(await other) == [2]
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert totals(await client.step(add(1, 1))) == [1, 3]
            assert Awaiting.cancelled == [-1]
            assert not client._exchange._owed

    with contextlib.ExitStack() as stack:
        app = create_app(Awaiting, max_concurrent_envs=2)
        if wire == "tcp":
            asyncio.run(scenario(base_url=stack.enter_context(serve(app))))
        else:
            asyncio.run(scenario(**({"app": app} if wire == "app" else {"env": Awaiting})))


def test_a_close_ends_calls_that_wait() -> None:
    async def scenario() -> None:
        client = await VectorEnvClient(env=Awaiting, num_envs=2).connect()
        await client.reset()
        call = asyncio.create_task(client.step(add(-1, -1)))
        await client.send(add(-1, -1))
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(ConnectionLostError, match="this client"):
            await call
        assert not Awaiting.alive

    asyncio.run(scenario())


def test_a_vector_client_stays_on_its_loop() -> None:
    with asyncio.Runner() as home:
        client = VectorEnvClient(env=Inline)
        home.run(client.reset())
        with pytest.raises(ConfigurationError, match="event loop"):
            asyncio.run(client.state())
        home.run(client.close())


def test_calls_that_come_together_open_one_connection() -> None:
    async def scenario() -> None:
        async with contextlib.AsyncExitStack() as stack:
            client = VectorEnvClient(env=Inline, num_envs=2)
            stack.push_async_callback(client.close)
            await asyncio.gather(*(client.reset() for _ in range(3)))
            assert len(Inline.alive) == 2

    asyncio.run(scenario())


@pytest.mark.parametrize("env", [Inline, Awaiting])
def test_overlapping_calls_are_carried_out_in_order(env: Any) -> None:
    async def scenario() -> None:
        async with VectorEnvClient(env=env) as client:
            await client.reset()
            told: list[Any] = await asyncio.gather(
                client.state(),
                client.step(add(1)),
                client.state(),
                client.reset(),
                client.step(add(1)),
                client.step(add(1)),
                client.state(),
            )
            assert [told[place][0]["step_count"] for place in (0, 2, 6)] == [0, 1, 2]

    asyncio.run(scenario())


def test_others_on_the_loop_have_their_turn() -> None:
    async def scenario() -> int:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async with VectorEnvClient(env=Inline) as client:
            other = asyncio.create_task(count())
            await client.reset()
            for _ in range(10):
                await client.step(add(0))
            other.cancel()
        return turns

    assert asyncio.run(scenario()) >= 10


def test_a_reset_after_a_loss_names_the_lanes_that_are_there(
    open_pair: Callable[..., Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a fork was called off all lanes are named, and new ones have other numbers."""
    client, cut = open_pair(Walk, most=5)
    client.reset()
    client.fork(client.snapshot([0]))
    client.close_lanes([0])
    exchange = client._exchange
    fork = exchange.fork([])
    exchange.sent(fork)
    exchange.give_up(fork.id)
    assert client.step(add(1, 1)).lanes == [1, 2]
    exchange._sessions = {1: "unknown", 2: "to the server"}
    monkeypatch.setattr("openenv_lite.client.sync_socket._MAY_HAVE_CLOSED_S", 0.0)
    cut()
    assert client.reset().lanes == [0, 1]
    assert client.step(add(1, 1)).lanes == [0, 1]


def test_an_interrupted_sync_call_costs_its_reply_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        serve(create_app(Inline, max_concurrent_envs=2)) as url,
        VectorEnvClient(url, num_envs=2).sync() as client,
    ):
        client.reset()
        with monkeypatch.context() as patch:
            patch.setattr(client._carrier, "receive", interrupt)
            with pytest.raises(KeyboardInterrupt):
                client.step(add(1, 1))
        assert totals(client.step(add(1, 1))) == [2, 2]


def interrupt(timeout_s: float | None) -> Any:
    raise KeyboardInterrupt
