"""A server that stops with everything under way leaves no task, no thread and no environment."""

import asyncio
import contextlib
import json
from typing import Any

import pytest

from openenv_lite import Context, create_app
from openenv_lite.conversation.stream import Answer, Stream
from tests.conversation.browser import Browser, serving
from tests.conversation.clients import ALL, Legacy, Linked, Modern, connect, house
from tests.conversation.exchange import Exchange
from tests.conversation.world import Game, World
from tests.leaks import on_loop, until
from tests.manual_clock import ManualClock
from tests.peer import Peer

STOPS = pytest.mark.parametrize("stop", ["service first", "both"])


async def stopped(home: Any, stop: str) -> None:
    service, pool = home.service.close, home.pool.aclose
    if stop == "both":
        await asyncio.gather(service(), pool())
    for each in (service, pool) if stop == "service first" else (pool, service):
        await each()


@STOPS
@pytest.mark.parametrize("kind", [World, Game])
@pytest.mark.parametrize("tool", ["wait", "greet", "block", "part"])
@on_loop
async def test_calls_of_every_kind_are_stopped(stop: str, kind: Any, tool: str) -> None:
    async with house(kind, "simulation") as home:
        clients = [await connect(wire, home) for wire in ("session", "common", "named", "link")]
        reading = []
        for client in clients:
            client.answer = lambda asked: None
            taken = client.send("tools/call", {"name": tool, "arguments": {}}, 50)
            if isinstance(taken, Stream):
                reading.append(asyncio.create_task(client.finish(taken)))
        enough = 4 if tool in ("wait", "block") else 0
        await until(lambda: len(World.entered) >= enough and len(World.alive) >= 4)
        await asyncio.sleep(0.01)
        World.barrier.set()
        await asyncio.wait_for(stopped(home, stop), 8)
        assert World.alive == []
        for each in clients:
            await each.end()
        await asyncio.wait(reading, timeout=5)
        assert all(task.done() for task in reading)


@pytest.mark.parametrize("stop", ["service first", "pool first", "both"])
@on_loop
async def test_listeners_and_streams_of_clients_end(stop: str) -> None:
    async with house(World) as home:
        legacy, modern = await Legacy(home).begin(), Modern(home)
        await legacy.tool("add", amount=1)
        await modern.tool("add", amount=1)
        wanted = {"notifications": {"toolsListChanged": True}}
        listening = modern.send("subscriptions/listen", wanted, "L")
        assert isinstance(listening, Stream)
        tasks = [
            asyncio.create_task(modern.listen(listening)),
            asyncio.create_task(legacy.listen(legacy.outlet)),
        ]
        await until(lambda: modern.heard)
        await asyncio.wait_for(stopped(home, stop), 8)
        await asyncio.wait_for(asyncio.gather(*tasks), 5)
        if stop == "pool first":
            assert modern.heard[-1]["result"]["resultType"] == "complete"


@on_loop
async def test_calls_that_have_not_begun_are_stopped_too() -> None:
    async with house(World) as home:
        legacy, modern = await Legacy(home).begin(), Modern(home)
        link = await Linked(home).begin()
        for client in (legacy, modern, link):
            for method in ("tools/list", "resources/list"):
                client.send(method, {}, method)
            client.send("tools/call", {"name": "wait", "arguments": {}}, 50)
        await home.service.close()
        assert World.cancelled == World.entered
        await link.end()


@on_loop
async def test_a_stopped_service_serves_again() -> None:
    """As an app does whose lifespan is run twice."""
    async with house(World) as home:
        client = await Legacy(home).begin()
        await client.tool("add", amount=1)
        await home.service.close()
        await home.pool.aclose()
        assert isinstance(client.send("ping", {}), Answer)
        home.pool.start()
        fresh = await Legacy(home).begin()
        assert (await fresh.tool("add", amount=1))["structuredContent"] == {"result": 1}


@pytest.mark.parametrize("kind", [World, Game])
@on_loop
async def test_an_app_that_is_closed_ends_all_that_it_serves(kind: Any) -> None:
    World.begin_anew()
    app = create_app(kind, mode="simulation", max_concurrent_envs=5, clock=ManualClock())
    params = {"protocolVersion": "2025-11-25", "capabilities": ALL}
    hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
    async with Exchange(app, "POST", hello) as reply:
        await reply.json()
        headers = {"mcp-session-id": reply.headers["mcp-session-id"]}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    async with (
        Exchange(app, "GET", None, headers) as stream,
        Exchange(app, "POST", {**call, "params": {"name": "wait"}}, headers) as waiting,
        Peer(app, "/mcp") as peer,
    ):
        peer.send(json.dumps(hello))
        await peer.hear()
        peer.send(json.dumps({**call, "params": {"name": "greet"}}))
        assert (await peer.hear())["method"] == "elicitation/create"
        await until(lambda: World.entered)
        await asyncio.wait_for(app.state.server.aclose(), 8)
        await until(lambda: stream.is_complete and waiting.is_complete)
        assert World.alive == []
    assert app.state.server.statistics().active == 0


@on_loop
async def test_a_slow_environment_does_not_keep_other_clients_from_expiring() -> None:
    async with house(World) as home:
        stuck, other = await Legacy(home).begin(), await Legacy(home).begin()
        stuck.send("tools/call", {"name": "block", "arguments": {}}, 50)
        await until(lambda: World.entered)
        await home.clock.advance(1)
        assert "result" in await other.request("ping")
        for _ in range(4):
            await home.clock.advance(80)
        for client in (stuck, other):
            taken = client.send("ping", {})
            assert isinstance(taken, Answer)
            assert taken.status == 404
        assert home.service.conversations._all == {}
        World.barrier.set()


class Stubborn(World):
    """Neither its async tool nor its `close` ends before the gates are open."""

    async def wait(self, name: str = "wait", context: Context | None = None) -> str:
        World.entered.append(name)
        while not World.gate.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await World.gate.wait()
        return "waited"

    def close(self) -> None:
        World.barrier.wait(10)
        super().close()


@pytest.mark.parametrize(
    ("kind", "tool"), [(World, "block"), (Stubborn, "wait"), (Stubborn, "add")]
)
@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
@on_loop
async def test_no_code_of_an_author_s_keeps_an_app_from_closing(
    kind: Any, tool: str, revision: str
) -> None:
    World.begin_anew()
    app = create_app(kind, mode="production", max_concurrent_envs=5, close_timeout_s=0.05)
    client = await Browser(app, revision).begin()
    arguments = {"amount": 1} if tool == "add" else {}
    async with client.tool(tool, **arguments) as reply:
        await until(lambda: World.entered or reply.is_complete)
    try:
        await asyncio.wait_for(app.state.server.aclose(), 5)
    finally:
        World.gate.set()
        World.barrier.set()
    assert app.state.server.statistics().active == 0


@on_loop
async def test_who_only_listens_is_let_go_before_a_stop_and_calls_go_on() -> None:
    async with serving() as app:
        legacy, modern = await Browser(app).begin(), Browser(app, "2026-07-28")
        async with (
            legacy.get() as stream,
            modern.post("subscriptions/listen", {"notifications": {}}) as listening,
            legacy.tool("wait") as call,
        ):
            await listening.events(1)
            await until(lambda: World.entered and stream.status)
            app.state.server.let_go()
            await until(lambda: stream.is_complete and listening.is_complete)
            assert not call.is_complete
            World.gate.set()
            assert (await call.json())["result"]["content"][0]["text"] == "waited"
            (*_, last) = await listening.events()
            assert last.data["result"]["resultType"] == "complete"
