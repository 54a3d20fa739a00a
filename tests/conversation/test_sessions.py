"""Clients of the revisions with a handshake: each with an environment and a life of its own."""

import asyncio
from typing import Any

import pytest

from openenv_lite.conversation.stream import Answer
from openenv_lite.mcp.revisions import HANDSHAKE
from tests.conversation.clients import IDLE_S, Legacy, Modern, connect, house, text_of
from tests.conversation.world import World
from tests.leaks import on_loop, until

GONE = {"code": -32602, "message": "Unknown Mcp-Session-Id: begin anew with initialize"}


def is_unknown(taken: Any, identity: int) -> None:
    assert isinstance(taken, Answer)
    assert taken.status == 404
    assert taken.body is not None
    assert b"begin anew" in taken.body
    assert f'"id":{identity},'.encode() in taken.body


@on_loop
async def test_clients_never_share_an_environment() -> None:
    async with house(World) as home:
        ann, bob = await Legacy(home).begin(), await Legacy(home).begin()
        assert ann.session != bob.session
        assert min(len(ann.session), len(bob.session)) >= 32
        await ann.tool("add", amount=5)
        assert text_of(await bob.tool("add", amount=1)) == "1"
        assert text_of(await ann.tool("add", amount=1)) == "6"
        assert len(World.alive) == 2


@on_loop
async def test_the_environment_is_built_by_the_first_call_that_needs_one() -> None:
    async with house(World) as home:
        client = await Legacy(home).begin()
        assert await client.request("ping") == {"jsonrpc": "2.0", "id": 1, "result": {}}
        await client.request("logging/setLevel", level="error")
        assert World.built == 0
        await client.tool("add", amount=1)
        assert (World.built, len(World.alive)) == (1, 1)


@pytest.mark.parametrize(
    "first",
    [
        ("resources/read", {"uri": "note://total"}),
        ("prompts/get", {"name": "hello", "arguments": {"name": "Bo"}}),
        ("resources/subscribe", {"uri": "note://total"}),
    ],
    ids=lambda each: str(each[0]),
)
@on_loop
async def test_not_only_tools_need_an_environment(first: tuple[str, dict[str, Any]]) -> None:
    async with house(World) as home:
        client = await Legacy(home).begin()
        method, params = first
        assert "result" in await client.request(method, **params)
        assert len(World.alive) == 1


@on_loop
async def test_an_idle_client_is_forgotten_with_its_environment() -> None:
    async with house(World) as home:
        client, other = await Legacy(home).begin(), await Legacy(home).begin()
        await client.tool("add", amount=1)
        await home.clock.advance(IDLE_S * 0.7)
        await client.tool("add", amount=1)
        await home.clock.advance(IDLE_S * 0.7)
        assert text_of(await client.tool("add", amount=1)) == "3"
        is_unknown(other.send("ping", {}, 8), 8)  # never built anything, and is as idle
        await home.clock.advance(IDLE_S * 1.5)
        await until(lambda: not World.alive)
        is_unknown(client.send("tools/list", {}, 9), 9)


@on_loop
async def test_a_client_that_listens_is_not_idle() -> None:
    async with house(World) as home:
        client = await Legacy(home).begin()
        reading = client.outlet.read()
        task = asyncio.ensure_future(anext(reading))
        await home.clock.advance(IDLE_S * 3)
        assert "result" in await client.request("ping")
        task.cancel()
        await until(lambda: not client.outlet.is_read)
        await home.clock.advance(IDLE_S * 1.5)
        is_unknown(client.send("ping", {}, 5), 5)


@on_loop
async def test_a_client_whose_environment_expired_must_begin_anew() -> None:
    async with house(World) as home:
        client = await Legacy(home).begin()
        await client.tool("add", amount=1)
        (lease,) = home.pool._leases.values()
        await home.pool.close(lease.session)
        is_unknown(client.send("tools/call", {"name": "add"}, 3), 3)


@on_loop
async def test_delete_closes_the_environment_and_the_id_is_unknown_from_then_on() -> None:
    async with house(World) as home:
        client, other = await Legacy(home).begin(), await Legacy(home).begin()
        await client.tool("add", amount=1)
        await other.tool("add", amount=1)
        await client.leave()
        assert len(World.alive) == 1
        is_unknown(client.send("ping", {}, 4), 4)
        assert text_of(await other.tool("add", amount=1)) == "2"


@on_loop
async def test_there_are_no_more_clients_than_the_settings_allow() -> None:
    async with house(World, max_conversations=2) as home:
        ann, _ = await Legacy(home).begin(), await Legacy(home).begin()
        refused = Legacy(home).greet()
        assert (refused.status, refused.session_id) == (503, None)
        assert b'"code":-32603' in (refused.body or b"")
        assert b"2 MCP sessions" in (refused.body or b"")
        await ann.leave()
        assert (await Legacy(home).begin()).session


@on_loop
async def test_without_a_free_environment_the_model_is_told() -> None:
    async with house(World, most=1) as home:
        ann, bob = await Legacy(home).begin(), await Legacy(home).begin()
        await ann.tool("add", amount=1)
        for client in (bob, Modern(home)):
            full = await client.tool("add", amount=1)
            assert full["isError"] is True
            assert "capacity" in text_of(full)
        await ann.leave()
        assert text_of(await bob.tool("add", amount=1)) == "1"


@on_loop
async def test_a_session_is_its_principal_s_alone() -> None:
    async with house(World) as home:
        ann = await Legacy(home, "ann").begin()
        await ann.tool("add", amount=1)
        for stranger in ("bob", None):
            other = Legacy(home, stranger)
            other.session = ann.session
            is_unknown(other.send("tools/call", {"name": "add", "arguments": {"amount": 1}}, 1), 1)
            cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {}}
            taken = other.post_on(cancelled)
            assert isinstance(taken, Answer)
            assert taken.status == 404
        assert text_of(await ann.tool("add", amount=1)) == "2"


@on_loop
async def test_common_environments_are_a_principal_s_own() -> None:
    async with house(World) as home:
        ann, bob, nobody = Modern(home, "ann"), Modern(home, "bob"), Modern(home)
        assert text_of(await ann.tool("add", amount=1)) == "1"
        assert text_of(await bob.tool("add", amount=10)) == "10"
        assert text_of(await nobody.tool("add", amount=100)) == "100"
        assert text_of(await Modern(home, "ann").tool("add", amount=1)) == "2"
        assert len(World.alive) == 3


@on_loop
async def test_an_idle_common_environment_ends_and_begins_anew() -> None:
    async with house(World) as home:
        client = Modern(home)
        await client.tool("add", amount=1)
        await home.clock.advance(IDLE_S * 1.5)
        await until(lambda: not World.alive)
        assert text_of(await client.tool("add", amount=1)) == "1"


@pytest.mark.parametrize("revision", [each.name for each in HANDSHAKE])
@on_loop
async def test_every_revision_with_a_handshake_is_served(revision: str) -> None:
    async with house(World) as home:
        client = Legacy(home)
        client.revision = revision
        await client.begin()
        assert client.last is not None
        assert f'"protocolVersion":"{revision}"'.encode() in (client.last.body or b"")
        assert text_of(await client.tool("add", amount=1)) == "1"


@on_loop
async def test_initialize_comes_once() -> None:
    async with house(World) as home:
        client = await Legacy(home).begin()
        params = {"protocolVersion": "2025-11-25", "capabilities": {}}
        again = await client.request("initialize", **params)
        assert again["error"]["code"] == -32600
        assert "result" in await client.request("ping")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, -32700),
        (b"[]", 400, -32600),
        (b"{}", 400, -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":6,"method":"nowhere"}', 200, -32601),
        (b'{"jsonrpc":"2.0","id":6,"method":"server/discover"}', 200, -32601),
        (b'{"jsonrpc":"2.0","id":6,"method":"tools/call"}', 200, -32602),
        (b'{"jsonrpc":"2.0","id":6,"method":"tools/list","params":{"cursor":"x"}}', 200, -32602),
    ],
    ids=str,
)
@on_loop
async def test_what_is_not_in_order_is_refused(body: bytes, status: int, code: int) -> None:
    async with house(World) as home:
        client = await Legacy(home).begin()
        taken = client.post(
            body, mcp_session_id=client.session, mcp_protocol_version=client.revision
        )
        reply = await client.finish(taken)
        assert client.last is not None
        assert (client.last.status, reply["error"]["code"]) == (status, code)
        assert "result" in await client.request("ping")


@on_loop
async def test_a_batch_is_answered_together_where_the_revision_has_it() -> None:
    async with house(World) as home:
        client = Legacy(home)
        client.revision = "2025-03-26"
        await client.begin()
        calls = [
            {"jsonrpc": "2.0", "id": 50, "method": "ping"},
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            {"jsonrpc": "2.0", "id": 51, "method": "tools/call", "params": {"name": "chat"}},
            {"jsonrpc": "2.0", "id": 52, "method": "nowhere"},
            {"id": 53},
        ]
        replies: Any = await client.finish(client.post_on(calls))
        assert [each["id"] for each in replies] == [50, 51, 52, 53]
        assert ["error" in each for each in replies] == [False, False, True, True]
        assert len(client.heard) == 3  # what `chat` said came before
        client.revision = "2025-11-25"
        taken = client.post_on([])
        assert isinstance(taken, Answer)
        assert taken.status == 400


@pytest.mark.parametrize("wire", ["session", "common"])
@pytest.mark.parametrize("order", ["list list call", "call list", "list call list"])
@on_loop
async def test_where_only_one_fits_those_who_begin_together_wait_for_each_other(
    wire: str, order: str
) -> None:
    async with house(World, most=1) as home:
        client = await connect(wire, home)
        sent = {"list": {}, "call": {"name": "add", "arguments": {"amount": 1}}}
        asking = [client.request(f"tools/{each}", **sent[each]) for each in order.split()]
        replies = await asyncio.gather(*asking)
        assert all("result" in each for each in replies)
        assert not any(each["result"].get("isError") for each in replies)
        await client.end()


@on_loop
async def test_first_callers_at_once_have_one_common_environment_each() -> None:
    async with house(World) as home:
        ann, bob = Modern(home, "ann"), Modern(home, "bob")
        added = [each.tool("add", amount=1) for each in (ann, bob, ann)]
        assert [text_of(each) for each in await asyncio.gather(*added)] == ["1", "1", "2"]
        assert World.built == 2


@pytest.mark.parametrize("wire", ["session", "common", "handle"])
@on_loop
async def test_only_from_the_end_of_a_call_a_client_is_idle(wire: str) -> None:
    async with house(World) as home:
        client = await connect(wire, home)
        await client.tool("add", amount=1)
        call = asyncio.create_task(client.tool("wait"))
        await until(lambda: World.entered)
        await home.clock.advance(IDLE_S * 3)
        World.gate.set()
        assert text_of(await call) == "waited"
        await home.clock.advance(IDLE_S * 0.5)
        assert text_of(await client.tool("add", amount=1)) == "2"
