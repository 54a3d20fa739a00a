"""What a tool call over MCP does to the environment behind it, on every wire."""

from typing import Any

import pytest

from openenv_lite import CallToolObservation, MCPEnvironment
from openenv_lite.errors import ConfigurationError
from openenv_lite.session import Session
from tests.conversation.clients import WIRES, House, Legacy, Modern, Wire, connect, house, text_of
from tests.conversation.world import HIDDEN, Game, Inline, World
from tests.leaks import on_loop

EVERY = pytest.mark.parametrize("wire", WIRES)
SIMULATED = pytest.mark.parametrize("wire", [each for each in WIRES if each != "handle"])


def session_of(house: House) -> Session:
    """The only one there is."""
    (lease,) = house.pool._leases.values()
    return lease.session


def game(house: House) -> Any:
    (found,) = World.alive
    return found


@SIMULATED
@on_loop
async def test_in_simulation_a_tool_call_is_an_action(wire: str) -> None:
    async with house(Game, "simulation") as home:
        client = await connect(wire, home)
        assert text_of(await client.tool("add", amount=2)) == "2"
        assert text_of(await client.tool("add", amount=3)) == "5"
        assert game(home).acted == ["add", "add"]
        state = await session_of(home).state()
        assert (state["step_count"], session_of(home).steps) == (2, 2)
        await client.end()


@EVERY
@on_loop
async def test_in_production_a_tool_call_goes_to_the_tool_itself(wire: str) -> None:
    async with house(Game, "production") as home:
        client = await connect(wire, home)
        assert text_of(await client.tool("add", amount=20)) == "20"
        assert text_of(await client.tool("add", amount=1)) == "21"
        assert game(home).acted == []
        assert session_of(home).steps == 2
        await client.end()


@SIMULATED
@on_loop
async def test_no_reply_holds_a_reward_an_end_or_a_seed(wire: str) -> None:
    async with house(Game, "simulation") as home:
        client = await connect(wire, home)
        await client.tool("add", amount=1)
        seeded = await session_of(home).reset({"seed": 918273})
        assert (seeded.metadata, game(home).seed) == ({"hint": "sekrit-4711"}, 918273)
        for tool in ("add", "chat", "talk", "greet", "explore", "fail", "touch", "peek"):
            await client.request("tools/call", name=tool, arguments={"amount": 1})
            await client.request("tools/call", name=tool, arguments={})
        for method in ("tools/list", "prompts/list", "resources/list", "reset", "step", "state"):
            await client.request(method)
        await client.request("resources/read", uri="note://total")
        await client.request("tools/call", name="add", arguments={"amount": 20})
        await client.request("tools/call", name="add", arguments={"amount": 1})
        assert len(game(home).acted) >= 8 or wire == "common"
        assert [each for each in HIDDEN if each.encode() in client.raw] == []
        await client.end()


class Telling(MCPEnvironment):
    """Its step answers with fields of its own, as OpenEnv's authors do."""

    alive = World.alive

    def __init__(self) -> None:
        self.tool(self.look)

    def look(self) -> str:
        """Look around."""
        return "nothing"

    def step(self, action: Any, **options: Any) -> Any:
        seen = super().step(action, **options)
        assert isinstance(seen, CallToolObservation)
        hidden = {"reward": 7319.25, "done": False, "metadata": {"hint": "sekrit-4711"}}
        return {"text": "a room", **hidden}


@SIMULATED
@on_loop
async def test_an_observation_of_the_author_s_own_is_shown_without_what_trains(wire: str) -> None:
    async with house(Telling, "simulation") as home:
        client = await connect(wire, home)
        result = await client.tool("look")
        assert result["structuredContent"] == {"text": "a room"}
        assert [each for each in HIDDEN if each.encode() in client.raw] == []
        await client.end()


@pytest.mark.parametrize("wire", ["session", "named session", "named", "link", "modern link"])
@on_loop
async def test_after_the_end_the_model_is_told_and_cannot_begin_anew(wire: str) -> None:
    async with house(Game, "simulation") as home:
        client = await connect(wire, home)
        await client.tool("add", amount=10)
        for _ in range(2):
            over = await client.tool("add", amount=1)
            assert over["isError"] is True
            assert "over" in text_of(over) or "done" in text_of(over), over
        assert game(home).acted == ["add"]
        for tool in ("reset", "Reset", " RESET ", "step", "state", "close"):
            refused = await client.request("tools/call", name=tool, arguments={})
            assert refused["error"]["code"] == -32602
            assert (await client.request(tool))["error"]["code"] == -32601
        assert game(home).total == 10
        await client.end()


@on_loop
async def test_a_common_environment_begins_anew_once_its_episode_is_over() -> None:
    async with house(Game, "simulation", most=1) as home:
        client = Modern(home)
        await client.tool("add", amount=10)
        first = game(home)
        assert text_of(await client.tool("add", amount=1)) == "1"
        assert game(home) is not first
        assert World.built == 2


@pytest.mark.parametrize("wire", ["session", "link"])
@on_loop
async def test_an_asking_call_counts_once_where_it_waits(wire: str) -> None:
    async with house(Game, "simulation") as home:
        client = await connect(wire, home)
        assert text_of(await client.tool("greet")) == "Hello, Ann"
        assert game(home).acted == ["greet"]
        assert (await session_of(home).state())["step_count"] == 1
        await client.end()


@pytest.mark.parametrize("wire", ["common", "named", "modern link"])
@pytest.mark.parametrize("kind", [World, Game])
@on_loop
async def test_an_asking_call_counts_when_it_acts_and_not_when_it_asks(
    wire: str, kind: type[World]
) -> None:
    async with house(kind, "simulation") as home:
        client = await connect(wire, home)
        await client.tool("add", amount=1)
        asked = await client.tool("greet")
        assert asked["resultType"] == "input_required", asked
        assert (await session_of(home).state())["step_count"] == 1
        answers = {"1": {"action": "accept", "content": {"name": "Bo"}}}
        again = {"requestState": asked["requestState"], "inputResponses": answers}
        for count in (2, 3):  # a replay acts again, and so counts again
            reply = await client.request("tools/call", name="greet", arguments={}, **again)
            assert text_of(reply["result"]) == "Hello, Bo"
            assert (await session_of(home).state())["step_count"] == count
        assert game(home).total == 3
        await client.end()


@pytest.mark.parametrize("mode", ["simulation", "production"])
@pytest.mark.parametrize("wire", WIRES)
@on_loop
async def test_a_tool_of_one_mode_exists_in_no_other(wire: str, mode: str) -> None:
    if wire == "handle" and mode == "simulation":
        return
    mine, other = ("peek", "serve") if mode == "simulation" else ("serve", "peek")
    async with house(World, mode) as home:
        client = await connect(wire, home)
        for _ in range(2):  # before and after there is an environment
            listed = (await client.request("tools/list"))["result"]["tools"]
            names = {tool["name"] for tool in listed}
            assert mine in names
            assert other not in names
            assert text_of(await client.tool(mine)) == mode
            refused = await client.request("tools/call", name=other, arguments={})
            assert refused["error"]["code"] == -32602
        await client.end()


@EVERY
@pytest.mark.parametrize("name", ["reset", "RESET", " Step ", "sTATE", "close"])
@on_loop
async def test_a_control_cannot_be_learnt_while_running(wire: str, name: str) -> None:
    async with house(Refusing, "production") as home:
        client = await connect(wire, home)
        assert text_of(await client.tool("learn", name=name)) == "refused"
        listed = (await client.request("tools/list"))["result"]["tools"]
        assert name.strip().lower() not in {tool["name"].strip().lower() for tool in listed}
        called = await client.request("tools/call", name=name, arguments={})
        assert called["error"]["code"] == -32602
        await client.end()


class Refusing(World):
    """Tells when a tool may not be learnt."""

    def learn(self, name: str) -> str:
        """Try to add a tool."""
        try:
            return super().learn(name)
        except ConfigurationError:
            return "refused"


@EVERY
@pytest.mark.parametrize("kind", [World, Inline])
@on_loop
async def test_no_environment_is_built_for_a_call(wire: str, kind: type[World]) -> None:
    async with house(kind, "production") as home:
        client = await connect(wire, home)
        await client.tool("add", amount=1)
        for number in range(2, 102):
            assert text_of(await client.tool("add", amount=1)) == str(number)
        for method in ("tools/list", "prompts/list", "resources/list"):
            await client.request(method)
        assert World.built == 1
        await client.end()


@on_loop
async def test_lists_build_one_environment_at_most() -> None:
    async with house(World, "production") as home:
        clients: list[Wire] = [Modern(home, str(number)) for number in range(5)]
        clients += [await Legacy(home).begin() for _ in range(5)]
        for client in clients:
            for method in ("tools/list", "prompts/list", "resources/list"):
                assert "result" in await client.request(method)
        assert (World.built, len(World.alive)) == (1, 0)


@EVERY
@on_loop
async def test_what_failed_is_told_to_the_model(wire: str) -> None:
    async with house(World, "production") as home:
        client = await connect(wire, home)
        failed = await client.tool("fail")
        assert (failed["isError"], text_of(failed)) == (True, "try another day")
        faulty = await client.tool("add", amount="much")
        assert faulty["isError"] is True
        assert game(home).total == 0
        await client.end()
