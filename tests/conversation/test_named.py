"""An agent's MCP client that joins the session of a trainer, which the URL names."""

from typing import Any

import pytest

from openenv_lite.conversation.stream import Answer
from openenv_lite.mcp import legacy
from openenv_lite.types import CallToolAction
from tests.conversation.clients import House, Legacy, Modern, house, text_of
from tests.conversation.world import Game, World
from tests.leaks import on_loop, until

ERAS = pytest.mark.parametrize("era", [Legacy, Modern])
Era = type[Legacy] | type[Modern]


async def created(home: House) -> str:
    """A session as `openenv/session/create` opens it."""
    message = {"jsonrpc": "2.0", "id": 1, "method": legacy.CREATE_SESSION, "params": {}}
    taken = Modern(home).post(message)
    client = Modern(home)
    reply = await client.finish(taken)
    session_id: str = reply["result"]["session_id"]
    return session_id


@ERAS
@on_loop
async def test_trainer_and_agent_act_in_one_environment(era: Era) -> None:
    async with house(Game, "simulation") as home:
        session = await home.trainer()
        await session.reset({"seed": 4})
        agent: Any = await era(home, session_id=session.id).begin()
        assert text_of(await agent.tool("add", amount=2)) == "2"
        action = CallToolAction(tool_name="add", arguments={"amount": 3})
        seen = await session.step(action)
        assert seen.observation.result["data"] == 5
        assert seen.reward == 7319.25
        assert text_of(await agent.tool("add", amount=1)) == "6"
        assert (await session.state())["step_count"] == 3
        assert World.built == 1


@ERAS
@on_loop
async def test_the_trainer_s_reset_is_the_agent_s_too(era: Era) -> None:
    async with house(Game, "simulation") as home:
        session = await home.trainer()
        agent: Any = await era(home, session_id=session.id).begin()
        await agent.tool("add", amount=10)
        assert (await agent.tool("add", amount=1))["isError"] is True
        await session.reset({})
        assert text_of(await agent.tool("add", amount=1)) == "1"
        assert (await session.state())["step_count"] == 1


@ERAS
@pytest.mark.parametrize("mode", ["simulation", "production"])
@on_loop
async def test_a_session_made_by_openenv_s_method_can_be_joined(era: Era, mode: str) -> None:
    async with house(World, mode) as home:
        session_id = await created(home)
        agent: Any = await era(home, session_id=session_id).begin()
        assert text_of(await agent.tool("add", amount=2)) == "2"
        second: Any = await era(home, session_id=session_id).begin()
        assert text_of(await second.tool("add", amount=2)) == "4"
        assert World.built == 1


@ERAS
@on_loop
async def test_an_agent_that_leaves_leaves_the_trainer_s_environment_alone(era: Era) -> None:
    async with house(World) as home:
        session = await home.trainer()
        agent: Any = await era(home, session_id=session.id).begin()
        await agent.tool("add", amount=2)
        if isinstance(agent, Legacy):
            await agent.leave()
        assert session.is_open
        assert len(World.alive) == 1


@on_loop
async def test_an_unknown_session_is_refused() -> None:
    async with house(World) as home:
        refused = Legacy(home, session_id="nowhere").greet()
        assert (refused.status, refused.session_id) == (404, None)
        modern = Modern(home, session_id="nowhere")
        for method, params in (("tools/list", {}), ("tools/call", {"name": "add"})):
            reply = await modern.request(method, **params)
            assert reply["error"]["code"] == -32602
            assert modern.last is not None
            assert modern.last.status == 404
        assert World.built == 0


@ERAS
@on_loop
async def test_the_end_of_the_session_is_told(era: Era) -> None:
    async with house(World) as home:
        session = await home.trainer()
        agent: Any = await era(home, session_id=session.id).begin()
        await agent.tool("add", amount=2)
        await home.pool.close(session)
        reply = await agent.request("tools/call", name="add", arguments={"amount": 1})
        assert reply["error"]["code"] == -32602
        assert World.built == 1


@pytest.mark.parametrize("stranger", ["bob", None])
@on_loop
async def test_a_session_with_an_owner_is_that_one_s_alone(stranger: str | None) -> None:
    async with house(World) as home:
        session = await home.trainer("ann")
        refused = Legacy(home, stranger, session.id).greet()
        assert isinstance(refused, Answer)
        assert refused.status == 404
        reply = await Modern(home, stranger, session.id).request("tools/call", name="touch")
        assert reply["error"]["code"] == -32602
        agent = Modern(home, "ann", session.id)
        assert text_of(await agent.tool("add", amount=1)) == "1"


@on_loop
async def test_a_session_of_the_other_mode_is_not_there() -> None:
    async with house(World, "simulation") as home:
        session = await home.trainer()
        agent = Modern(home, session_id=session.id)
        agent.service = home.another(mode="production")
        assert (await agent.request("tools/call", name="touch"))["error"]["code"] == -32602


@on_loop
async def test_an_agent_hears_what_changes_in_the_session_it_joined() -> None:
    async with house(World) as home:
        session = await home.trainer()
        agent = await Legacy(home, session_id=session.id).begin()
        await agent.request("resources/subscribe", uri="note://total")
        await agent.tool("learn", name="fresh")
        await agent.tool("touch")
        await until(lambda: len(agent.outlet._events) == 2)
        agent.outlet.leave()
        await agent.listen(agent.outlet)
        assert [each["method"] for each in agent.heard[-2:]] == [
            "notifications/tools/list_changed",
            "notifications/resources/updated",
        ]
