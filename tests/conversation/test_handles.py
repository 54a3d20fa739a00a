"""Environments by handle on 2026-07-28."""

from typing import Any

import pytest

from openenv_lite import MCPEnvironment
from openenv_lite.mcp.seal import Seal
from tests.conversation.clients import IDLE_S, KEY, House, Modern, Wire, connect, house, text_of
from tests.conversation.world import World
from tests.leaks import on_loop, until

REFUSED = "Unknown or expired openenv_session: call openenv_open_session for a new one"


async def listed(client: Wire) -> dict[str, Any]:
    tools = (await client.request("tools/list"))["result"]["tools"]
    return {tool["name"]: tool for tool in tools}


async def is_refused(client: Modern) -> None:
    for tool in ("add", "openenv_close_session"):
        result = await client.tool(tool, **({"amount": 1} if tool == "add" else {}))
        assert (result["isError"], text_of(result)) == (True, REFUSED)


@on_loop
async def test_a_handle_opens_an_environment_of_its_own() -> None:
    async with house(World) as home:
        common, mine, other = Modern(home), await Modern(home).open(), await Modern(home).open()
        assert mine.handle != other.handle
        assert text_of(await mine.tool("add", amount=1)) == "1"
        assert text_of(await other.tool("add", amount=10)) == "10"
        assert text_of(await common.tool("add", amount=100)) == "100"
        assert text_of(await mine.tool("add", amount=1)) == "2"
        assert len(World.alive) == 3
        closed = await mine.tool("openenv_close_session")
        assert "isError" not in closed
        assert len(World.alive) == 2
        await is_refused(mine)
        assert text_of(await other.tool("add", amount=1)) == "11"


@pytest.mark.parametrize("principal", [None, "ann"])
@on_loop
async def test_whoever_opened_an_environment_can_close_it(principal: str | None) -> None:
    async with house(World) as home:
        client = await Modern(home, principal).open()
        assert text_of(await client.tool("add", amount=1)) == "1"
        assert "isError" not in await client.tool("openenv_close_session")
        assert World.alive == []


@on_loop
async def test_a_handle_expires_with_its_environment() -> None:
    async with house(World) as home:
        client = await Modern(home).open()
        await home.clock.advance(IDLE_S * 0.7)
        await client.tool("add", amount=1)
        await home.clock.advance(IDLE_S * 0.7)
        assert text_of(await client.tool("add", amount=1)) == "2"
        await home.clock.advance(IDLE_S * 1.5)
        await until(lambda: not World.alive)
        await is_refused(client)
        assert World.built == 1


@on_loop
async def test_a_handle_that_we_did_not_make_is_refused() -> None:
    async with house(World) as home:
        honest = await Modern(home).open()
        assert honest.handle is not None
        (session_id,) = home.pool._leases
        altered = honest.handle[:-1] + ("A" if honest.handle[-1] != "A" else "B")
        foreign = Seal(b"another key of enough bytes").seal("session", [session_id, None], 1e12)
        misused = Seal(KEY).seal("request", [session_id, None], 1e12)
        expired = Seal(KEY).seal("session", [session_id, None], -1.0)
        for forged in (
            "",
            "x",
            session_id,
            altered,
            foreign,
            misused,
            expired,
            honest.handle + "=",
        ):
            client = Modern(home)
            client.handle = forged
            await is_refused(client)
        for strange in (5, None, [honest.handle], {"a": 1}):
            arguments = {"amount": 1, "openenv_session": strange}
            reply = await Modern(home).request("tools/call", name="add", arguments=arguments)
            assert text_of(reply["result"]) == REFUSED
        assert text_of(await honest.tool("add", amount=1)) == "1"
        assert World.built == 1


@on_loop
async def test_a_handle_is_its_principal_s_alone() -> None:
    async with house(World) as home:
        for owner, strangers in (("ann", ("bob", None)), (None, ("ann", ""))):
            honest = await Modern(home, owner).open()
            for stranger in strangers:
                thief = Modern(home, stranger)
                thief.handle = honest.handle
                await is_refused(thief)
            assert text_of(await honest.tool("add", amount=1)) == "1"


@pytest.mark.parametrize("key", [KEY, b"another key of enough bytes"])
@on_loop
async def test_another_server_knows_no_environment_of_ours(key: bytes) -> None:
    async with house(World) as home:
        client = await Modern(home).open()
        other = House(World)
        other.service = other.another(key=key)
        assert client.handle is not None
        if key == KEY:  # the seal holds, and what it names is not there
            claims = other.service.site.seal.open("session", client.handle, 0.0)
            assert claims[0] in home.pool
        stranger = Modern(other)
        stranger.handle = client.handle
        await is_refused(stranger)
        assert World.built == 1


@pytest.mark.parametrize(("mode", "most"), [("simulation", 5), ("production", 1)])
@on_loop
async def test_handles_are_not_offered_where_there_is_no_choice(mode: str, most: int) -> None:
    async with house(World, mode, most=most) as home:
        client = Modern(home)
        tools = await listed(client)
        assert not {name for name in tools if name.startswith("openenv")}
        assert "openenv_session" not in str(tools)
        for name in ("openenv_open_session", "openenv_close_session"):
            refused = await client.request("tools/call", name=name, arguments={})
            assert refused["error"]["code"] == -32602
        client.handle = "x"
        assert (await client.tool("add", amount=1))["isError"] is True  # an argument like any other
        assert all(world.total == 0 for world in World.alive)


@pytest.mark.parametrize("wire", ["session", "named session", "named", "link", "modern link"])
@on_loop
async def test_handles_are_not_offered_to_clients_with_a_session(wire: str) -> None:
    async with house(World) as home:
        client = await connect(wire, home)
        assert "openenv" not in str(await listed(client))
        refused = await client.request("tools/call", name="openenv_open_session", arguments={})
        assert refused["error"]["code"] == -32602
        await client.end()


class Exact(MCPEnvironment):
    """Has a tool whose schema its author wrote."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    SCHEMA = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "properties": {"zoo": {"$ref": "#/$defs/zoo"}, "ant": {"type": "string"}},
        "$defs": {"zoo": {"$anchor": "zoo", "type": "integer"}},
        "if": {"required": ["ant"]},
        "then": {"required": ["zoo"]},
        "required": [],
    }

    def __init__(self) -> None:
        self.tool(input_schema=self.SCHEMA)(visit)


def visit(zoo: int = 0, ant: str = "") -> str:
    """Visit the zoo."""
    return f"{zoo}{ant}"


@on_loop
async def test_a_schema_stays_verbatim_but_for_the_handle() -> None:
    async with house(Exact) as home:
        client = await Modern(home).open()
        schema = (await listed(client))["visit"]["inputSchema"]
        field = schema["properties"].pop("openenv_session")
        assert (schema, list(schema)) == (Exact.SCHEMA, list(Exact.SCHEMA))
        assert list(schema["properties"]) == ["zoo", "ant"]
        assert field["type"] == "string"
        assert text_of(await client.tool("visit", zoo=1, ant="x")) == "1x"
        assert (await client.tool("visit", ant="x"))["isError"] is True
        assert (await client.tool("visit", bee=1))["isError"] is True


@on_loop
async def test_opening_beyond_the_capacity_is_told_to_the_model() -> None:
    async with house(World, most=2) as home:
        await Modern(home).open()
        await Modern(home).open()
        full = await Modern(home).tool("openenv_open_session")
        assert full["isError"] is True
        assert "capacity" in text_of(full)


@on_loop
async def test_a_tool_may_ask_in_an_environment_with_a_handle() -> None:
    async with house(World) as home:
        client, other = await Modern(home).open(), await Modern(home).open()
        asked = await client.tool("greet")
        answers = {"1": {"action": "accept", "content": {"name": "Bo"}}}
        again = {"requestState": asked["requestState"], "inputResponses": answers}
        elsewhere = await other.request("tools/call", name="greet", arguments={}, **again)
        assert elsewhere["error"]["code"] == -32602
        reply = await client.request("tools/call", name="greet", arguments={}, **again)
        assert text_of(reply["result"]) == "Hello, Bo"
