"""One connection for all messages of a client, as a WebSocket or a process's pipes are."""

import asyncio
from typing import Any

import msgspec
import pytest

from openenv_lite.conversation import link as links
from tests.conversation.clients import Linked, connect, house, notes, text_of
from tests.conversation.world import World
from tests.leaks import on_loop, until

ERAS = pytest.mark.parametrize("wire", ["link", "modern link"])


async def joined(wire: str, home: Any) -> Linked:
    client = await connect(wire, home)
    assert isinstance(client, Linked)
    return client


def cancelled(identity: Any) -> dict[str, Any]:
    params = {"requestId": identity}
    return {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}


@ERAS
@on_loop
async def test_calls_are_answered_as_they_are_ready(wire: str) -> None:
    async with house(World) as home:
        client = await joined(wire, home)
        call = {"name": "wait", "arguments": {}}
        client.send("tools/call", call, "wait")
        await until(lambda: World.entered)
        assert "result" in await client.request("tools/list")
        World.gate.set()
        assert text_of((await client.finish("wait"))["result"]) == "waited"
        await client.end()


@on_loop
async def test_before_a_revision_is_named_it_speaks_openenv_s_dialect() -> None:
    async with house(World) as home:
        client = Linked(home)
        client.is_modern = True
        await client.begin()
        for method in ("tools/list", "nowhere"):
            answering = client.put({"jsonrpc": "2.0", "id": 1, "method": method})
            reply = msgspec.json.decode((await answering).body)
            assert ("result" in reply) is (method == "tools/list")
        answering = client.link.receive("{")
        assert answering is not None
        assert b'"id":null' in ((await answering).body or b"")
        assert text_of(await client.tool("add", amount=1)) == "1"
        assert client.put({"jsonrpc": "2.0", "id": 90, "method": "tools/list"}) is None
        assert (await client.finish(90))["error"]["code"] == -32600  # now it speaks MCP
        assert client.link.receive("{") is None
        await until(lambda: None in client.replies)
        assert "id" not in client.replies[None]
        await client.end()


@on_loop
async def test_both_eras_may_meet_on_one_connection() -> None:
    async with house(World) as home:
        client = await Linked(home).begin()
        assert text_of(await client.tool("add", amount=1)) == "1"
        client.is_modern = True
        assert text_of(await client.tool("add", amount=1)) == "2"
        assert (await client.tool("greet"))["resultType"] == "input_required"
        client.is_modern = False
        assert text_of(await client.tool("greet")) == "Hello, Ann"
        await client.end()


@pytest.mark.parametrize("began", ["link", "modern link"])
@pytest.mark.parametrize("is_modern", [True, False])
@on_loop
async def test_a_call_taken_back_stops(began: str, is_modern: bool) -> None:
    async with house(World) as home:
        client = await joined(began, home)
        if began == "modern link" and not is_modern:
            client.is_modern = False
            await client.request("initialize", protocolVersion="2025-11-25", capabilities={})
        client.is_modern = is_modern
        client.send("tools/call", {"name": "wait", "arguments": {"name": "aloud"}}, "w")
        await until(lambda: World.entered)
        assert client.put(cancelled("w")) is None
        await until(lambda: World.cancelled == ["aloud"])
        assert text_of(await client.tool("add", amount=1)) == "1"
        client.put(cancelled("w"))
        client.put(cancelled("never"))
        assert "w" not in client.replies
        await client.end()


@ERAS
@on_loop
async def test_sixty_four_requests_may_be_under_way(wire: str) -> None:
    async with house(World) as home:
        client = await joined(wire, home)
        call = {"name": "wait", "arguments": {}}
        for number in range(links.MOST_UNDER_WAY):
            client.send("tools/call", call, f"w{number}")
        refused = await client.request("tools/call", **call)
        assert refused["error"]["code"] == -32600
        client.put(cancelled("w3"))
        World.gate.set()
        for number in range(links.MOST_UNDER_WAY):
            if number != 3:
                assert text_of((await client.finish(f"w{number}"))["result"]) == "waited"
        assert text_of(await client.tool("add", amount=1)) == "1"
        assert links.MOST_UNDER_WAY == 64
        await client.end()


@ERAS
@on_loop
async def test_an_id_in_use_is_refused_and_free_again_afterwards(wire: str) -> None:
    async with house(World) as home:
        client = await joined(wire, home)
        call = {"name": "wait", "arguments": {}}
        client.send("tools/call", call, 5)
        await until(lambda: World.entered)
        client.send("tools/call", call, 5)
        assert (await client.finish(5))["error"]["code"] == -32600
        World.gate.set()
        assert text_of((await client.finish(5))["result"]) == "waited"
        client.send("tools/call", call, 5)
        assert text_of((await client.finish(5))["result"]) == "waited"
        await client.end()


@ERAS
@pytest.mark.parametrize("tool", ["wait", "block", "greet"])
@on_loop
async def test_a_connection_that_closes_leaves_no_call(wire: str, tool: str) -> None:
    async with house(World) as home:
        client = await joined(wire, home)
        client.answer = lambda asked: None
        for number in range(3):
            client.send("tools/call", {"name": tool, "arguments": {}}, number)
        await until(lambda: World.entered or client.heard or client.replies)
        tasks = asyncio.all_tasks()
        closing = asyncio.create_task(client.end())
        await asyncio.sleep(0)
        World.barrier.set()
        await asyncio.wait_for(closing, 5)
        begun = {task for task in asyncio.all_tasks() - tasks if task is not closing}
        assert not begun
        assert not home.service.answering._under_way
        (lease,) = home.pool._leases.values()
        await until(lambda: not lease.session.is_busy)
        assert not lease.session.watchers


class Stalled:
    """A peer that does not read until it is let."""

    def __init__(self, client: Linked) -> None:
        self.written: list[Any] = []
        self.reads = asyncio.Event()
        client.link._outbox._write = self.write

    async def write(self, body: bytes) -> None:
        await self.reads.wait()
        self.written.append(msgspec.json.decode(body))


@on_loop
async def test_notifications_for_a_client_that_does_not_read_are_lost_and_answers_are_not() -> None:
    async with house(World) as home:
        client = await Linked(home).begin()
        peer = Stalled(client)
        times = links.MOST_UNSENT + 200
        client.send("tools/call", {"name": "talk", "arguments": {"times": times}}, "t")
        outbox = client.link._outbox
        await until(lambda: any(b'"id":"t"' in body for body in outbox._waiting))
        assert len(outbox._waiting) <= links.MOST_UNSENT + 1
        peer.reads.set()
        await until(lambda: peer.written and peer.written[-1].get("id") == "t")
        lines = [each["params"]["data"] for each in peer.written[:-1]]
        assert lines == [f"line {number}" for number in range(len(lines))]
        assert len(lines) <= links.MOST_UNSENT
        await client.end()


@ERAS
@on_loop
async def test_a_client_that_does_not_read_is_not_listened_to_either(wire: str) -> None:
    async with house(World) as home:
        client = await joined(wire, home)
        peer = Stalled(client)
        waits = None
        for number in range(links.MOST_UNSENT + 5):
            waits = client.link.receive(b'{"jsonrpc":"2.0","id":%d,"method":"nowhere"}' % number)
            if waits is not None:
                break
        assert waits is not None, "it could fill the server's memory"
        assert number <= links.MOST_UNSENT
        reading = asyncio.ensure_future(waits)
        await asyncio.sleep(0.01)
        assert not reading.done()
        peer.reads.set()
        assert (await reading).body is None
        assert len(peer.written) == number + 1
        await client.end()


@ERAS
@on_loop
async def test_a_connection_that_is_stuck_can_be_closed(wire: str) -> None:
    async with house(World) as home:
        client = await joined(wire, home)
        Stalled(client)
        client.send("tools/call", {"name": "wait", "arguments": {}}, "w")
        await until(lambda: World.entered)
        assert client.link.receive(b'{"jsonrpc":"2.0","id":1,"method":"nowhere"}') is None
        await asyncio.wait_for(client.end(), 5)
        assert World.cancelled == ["wait"]


@ERAS
@on_loop
async def test_the_last_message_is_written_to_its_end(wire: str) -> None:
    async with house(World) as home:
        client = await joined(wire, home)
        peer = Stalled(client)
        client.link.receive(b'{"jsonrpc":"2.0","id":"last","method":"nowhere"}')
        await asyncio.sleep(0.01)  # it is being written
        closing = asyncio.create_task(client.end())
        await asyncio.sleep(0.01)
        peer.reads.set()
        await closing
        assert [each["id"] for each in peer.written] == ["last"]


@ERAS
@on_loop
async def test_a_connection_that_broke_is_closed_in_silence(wire: str) -> None:
    async with house(World) as home:
        client = await joined(wire, home)

        async def write(body: bytes) -> None:
            raise OSError("gone")

        client.link._outbox._write = write
        for number in range(3):
            client.link.receive(b'{"jsonrpc":"2.0","id":%d,"method":"nowhere"}' % number)
            await asyncio.sleep(0)
        await asyncio.wait_for(client.end(), 5)


@on_loop
async def test_changes_come_over_the_link() -> None:
    async with house(World) as home:
        client = await Linked(home).begin()
        await client.request("resources/subscribe", uri="note://total")
        await client.tool("learn", name="fresh")
        await client.tool("touch")
        await until(lambda: len(client.heard) == 2)
        assert notes(client, "tools/list_changed") == [{}]
        assert notes(client, "resources/updated") == [{"uri": "note://total"}]
        await client.request("resources/unsubscribe", uri="note://total")
        await client.tool("touch")
        await client.request("ping")
        assert len(client.heard) == 2
        await client.end()


@on_loop
async def test_a_batch_over_a_link_is_answered_together() -> None:
    async with house(World) as home:
        client = Linked(home)
        client.is_modern = True
        await client.begin()
        client.is_modern = False
        await client.request("initialize", protocolVersion="2025-03-26", capabilities={})
        calls: list[Any] = [
            {"jsonrpc": "2.0", "id": 50, "method": "ping"},
            {"jsonrpc": "2.0", "id": 51, "method": "tools/call", "params": {"name": "chat"}},
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
        ]
        raw: list[Any] = []

        async def write(body: bytes) -> None:
            raw.append(msgspec.json.decode(body))

        client.link._outbox._write = write
        assert client.put(calls) is None
        await until(lambda: raw and isinstance(raw[-1], list))
        assert [each["id"] for each in raw[-1]] == [50, 51]
        assert [each["method"] for each in raw[:-1]] == ["notifications/message"] * 3
        await client.end()
