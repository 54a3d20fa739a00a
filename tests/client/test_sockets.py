"""What only happens on a real connection: fragments, pings, limits, silence."""

import asyncio
import contextlib
import gc
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection
from websockets.sync.server import serve as serve_websockets

from openenv_lite.client import GenericEnvClient, SyncEnvClient
from openenv_lite.client.sync_socket import SyncSocket
from openenv_lite.errors import (
    ConfigurationError,
    ConnectionFailedError,
    ConnectionLostError,
    ReplyTimeoutError,
)
from tests.client.conftest import Blocking, socket_path
from tests.client.serving import Peer, playing, serve

Script = Callable[[ServerConnection], None]
Make = Callable[..., Any]


@contextlib.contextmanager
def peer(script: Script) -> Iterator[str]:
    """A WebSocket server of another make than uvicorn's; its URL."""

    def play(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            script(connection)

    with serve_websockets(play, "127.0.0.1", 0, compression=None, max_size=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(params=["async", "sync"])
def meet(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Make a client, either twin, of a script over TCP."""
    with contextlib.ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner())

        def make(script: Script, **options: Any) -> Any:
            client = GenericEnvClient(stack.enter_context(peer(script)), **options)
            made = client.sync() if request.param == "sync" else Blocking(client, runner)
            stack.callback(made.close)
            return made

        yield make


def reply(**observation: Any) -> str:
    data = {"observation": observation, "reward": None, "done": False}
    return json.dumps({"type": "observation", "data": data})


def answer(connection: ServerConnection) -> None:
    for text in connection:
        message = json.loads(text)
        if message["type"] == "close":
            return
        connection.send(reply(**message))


def test_a_fragmented_message_is_joined(meet: Make) -> None:
    def fragmenting(connection: ServerConnection) -> None:
        connection.recv()
        text = reply(long="x" * 30)
        connection.send(text[i : i + 10] for i in range(0, len(text), 10))
        answer(connection)

    env = meet(fragmenting)
    assert env.reset().observation == {"long": "x" * 30}
    assert env.step({"a": 1}).observation["data"] == {"a": 1}


def test_a_ping_is_answered_while_a_reply_is_awaited(meet: Make) -> None:
    def pinging(connection: ServerConnection) -> None:
        connection.recv()
        answered = connection.ping().wait(timeout=5)
        connection.send(reply(answered=answered))

    assert meet(pinging).reset().observation == {"answered": True}


def test_a_reply_over_the_limit_ends_the_connection(meet: Make) -> None:
    def talking(connection: ServerConnection) -> None:
        connection.recv()
        connection.send(reply(long="x" * 3000))
        answer(connection)

    with pytest.raises(ConnectionLostError):
        meet(talking, max_message_size_mb=1 / 1024).reset()


def test_a_large_message_goes_both_ways(meet: Make) -> None:
    blob = "é" * 2_000_000
    assert meet(answer, max_message_size_mb=20).step({"b": blob}).observation["data"] == {"b": blob}


def test_a_vanished_peer_is_a_lost_connection(meet: Make) -> None:
    def vanishing(connection: ServerConnection) -> None:
        connection.recv()
        connection.socket.close()

    with pytest.raises(ConnectionLostError) as caught:
        meet(vanishing).reset()
    assert caught.value.details["close_code"] == 1006


def test_a_close_code_of_the_servers_own_is_told(meet: Make) -> None:
    def closing(connection: ServerConnection) -> None:
        connection.recv()
        connection.close(4321, "maintenance")

    with pytest.raises(ConnectionLostError, match="maintenance") as caught:
        meet(closing).reset()
    assert caught.value.details == {"close_code": 4321, "reason": "maintenance"}


def socket_of(env: SyncEnvClient[Any, Any, Any]) -> SyncSocket:
    """The connection, put back in time so that it counts as idle for long."""
    assert isinstance(env._transport, SyncSocket)
    env._transport._heard = 0.0
    return env._transport


async def losing(server: Peer) -> None:
    await server.accept("s1")
    await server.observe(**await server.request())
    await server.close(1011)


async def resuming(server: Peer) -> None:
    await server.accept("s1")
    await server.observe(session=server.session)
    await server.echo()


def test_a_connection_lost_between_calls_is_resumed_before_anything_is_sent() -> None:
    with serve(playing(losing, resuming)) as url, GenericEnvClient(url).sync() as env:
        env.reset()
        while socket_of(env).loss() is None:
            pass
        assert env.step({}).observation == {"session": "s1"}


def test_an_idle_peer_is_asked_for_a_sign_of_life() -> None:
    with peer(answer) as url, GenericEnvClient(url).sync() as env:
        env.reset()
        connection = socket_of(env)
        assert env.step({"a": 1}).observation["data"] == {"a": 1}
        assert connection._stream.pongs == 1


def test_a_silent_peer_is_given_up_before_the_request_goes_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[str] = []

    async def noting(server: Peer) -> None:
        await server.accept()
        while (message := await server.request())["type"] not in ("gone", "close"):
            heard.append(message["type"])
            await server.observe()

    with serve(playing(noting)) as url:
        env = GenericEnvClient(url, websocket_ping_timeout_s=0.1).sync()
        env.reset()
        monkeypatch.setattr(socket_of(env)._stream, "ping", lambda: None)  # lost on its way
        with pytest.raises(ConnectionLostError):
            env.step({})
        env.close()
    assert heard == ["reset"]


@pytest.mark.parametrize("prefix", ["", "/chess"])
def test_a_unix_domain_socket_is_as_good_as_a_port(prefix: str) -> None:
    paths: list[str] = []

    async def noting(server: Peer) -> None:
        paths.append(server.path)
        assert server.headers["host"] == "localhost"
        await server.accept()
        await server.echo()

    async def scenario(url: str) -> None:
        async with GenericEnvClient(url) as env:
            blob = "é" * 500_000
            assert (await env.step({"b": blob})).observation["data"] == {"b": blob}

    with contextlib.ExitStack() as stack:
        url = stack.enter_context(serve(playing(noting), socket_path(stack)))
        asyncio.run(scenario(f"{url}:{prefix}" if prefix else url))
        with GenericEnvClient(f"{url}:{prefix}").sync() as env:
            assert env.step({"a": 1}).observation["data"] == {"a": 1}
    assert paths == [f"{prefix}/ws"] * 2


@pytest.mark.parametrize("twin", ["async", "sync"])
def test_no_socket_of_that_path_is_a_failed_connection(twin: str) -> None:
    client = GenericEnvClient("unix:///nowhere/at/all")
    with pytest.raises(ConnectionFailedError, match="No such file"):
        client.sync().connect() if twin == "sync" else asyncio.run(client.connect())


def test_the_sync_client_starts_no_thread() -> None:
    with serve(playing(resuming)) as url:
        before = threading.active_count()
        with GenericEnvClient(url).sync() as env:
            env.state()
            assert threading.active_count() == before


async def two_late_then_echo(server: Peer) -> None:
    await server.accept()
    first, second = await server.request(), await server.request()
    await server.observe(**first)
    await server.observe(**second)
    await server.echo()


@pytest.mark.parametrize("wire", ["tcp", "in-process"])
def test_a_cancelled_call_costs_its_reply_only(wire: str) -> None:
    async def scenario(env: GenericEnvClient) -> None:
        await env.connect()
        call = asyncio.create_task(env.step({"n": 1}))
        await asyncio.sleep(0)
        assert env._exchange.owed == 1
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert (await env.step({"n": 2})).observation["data"] == {"n": 2}
        assert (await env.step({"n": 3})).observation["data"] == {"n": 3}
        await env.close()

    app = playing(two_late_then_echo)
    if wire == "tcp":
        with serve(app) as url:
            asyncio.run(scenario(GenericEnvClient(url)))
    else:
        asyncio.run(scenario(GenericEnvClient(app=app)))


def test_concurrent_calls_take_turns() -> None:
    async def scenario(url: str) -> None:
        async with GenericEnvClient(url) as env:
            results = await asyncio.gather(*(env.step({"n": n}) for n in range(20)))
        assert [each.observation["data"]["n"] for each in results] == list(range(20))

    with peer(answer) as url:
        asyncio.run(scenario(url))


def test_a_close_ends_a_call_that_waits() -> None:
    async def scenario(url: str) -> None:
        env = await GenericEnvClient(url).connect()
        call = asyncio.create_task(env.step({}))
        await asyncio.sleep(0)
        await env.close()
        with pytest.raises(ConnectionLostError):
            await call

    def mute(connection: ServerConnection) -> None:
        for _ in connection:
            pass

    with peer(mute) as url:
        asyncio.run(scenario(url))


def test_a_client_stays_on_its_loop() -> None:
    with peer(answer) as url, asyncio.Runner() as home:
        env = GenericEnvClient(url)
        home.run(env.reset())
        with pytest.raises(ConfigurationError, match="event loop"):
            asyncio.run(env.step({}))
        home.run(env.close())


def test_a_server_that_never_answers_the_handshake_is_given_up() -> None:
    async def silent(server: Peer) -> None:
        await asyncio.Event().wait()

    client = GenericEnvClient(app=playing(silent), connect_timeout_s=0.05)
    with pytest.raises(ConnectionFailedError, match="accept"), client.sync():
        pass


async def _connections_ended(tell: Callable[["asyncio.Task[Any]"], Any]) -> None:
    """A client connects to who never answers, and is told something; its socket is closed."""
    reached, ended = asyncio.Event(), asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        ended.set()

    async with await asyncio.start_server(never_answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        connecting = asyncio.create_task(GenericEnvClient(url, connect_timeout_s=0.2).connect())
        await reached.wait()
        tell(connecting)
        with pytest.raises((asyncio.CancelledError, ConnectionFailedError)):
            await connecting
        await asyncio.wait_for(ended.wait(), 10)


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_who_gives_up_connecting_leaves_no_socket_open(is_cancelled: bool) -> None:
    gc.disable()  # which would close it, some day
    try:
        asyncio.run(_connections_ended(lambda task: is_cancelled and task.cancel()))
    finally:
        gc.enable()


def test_a_timeout_says_how_long_it_was(meet: Make) -> None:
    def mute(connection: ServerConnection) -> None:
        for _ in connection:
            pass

    with pytest.raises(ReplyTimeoutError, match=r"0\.05 s"):
        meet(mute, message_timeout_s=0.05).reset()


def test_importing_the_client_loads_no_server() -> None:
    code = (
        "import sys, openenv_lite.client; "
        "bad = {'starlette', 'uvicorn', 'anyio', 'httpx', 'openenv_lite.server', "
        "'openenv_lite.pool', 'openenv_lite.session'} & set(sys.modules); "
        "sys.exit(str(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
