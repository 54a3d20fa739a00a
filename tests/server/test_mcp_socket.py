"""`/mcp` as a WebSocket, on this event loop: who is at home in a session, and who is a guest."""

import asyncio

import pytest

from openenv_lite.server.connection import MOST_UNANSWERED
from tests.conversation.browser import serving
from tests.conversation.world import Game, World
from tests.leaks import on_loop, until
from tests.peer import Peer


@pytest.mark.parametrize("code", [1000, 1006])
@on_loop
async def test_an_agent_that_leaves_leaves_the_session_to_its_trainer(code: int) -> None:
    async with serving(Game, "simulation") as app, Peer(app) as trainer:
        await trainer.ask("reset")
        async with Peer(app, "/mcp", f"session_id={trainer.session_id}") as agent:
            await agent.call("tools/call", name="add", arguments={"amount": 4})
            await agent.leave(code)
        assert (await trainer.ask("state"))["step_count"] == 1
        await trainer.leave()
        assert World.alive == []


@on_loop
async def test_the_session_ends_with_its_trainer_whoever_is_a_guest_in_it() -> None:
    async with serving(Game, "simulation") as app, Peer(app) as trainer:
        await trainer.ask("reset")
        async with Peer(app, "/mcp", f"session_id={trainer.session_id}") as agent:
            await trainer.leave()
            assert World.alive == []
            reply = await agent.call("tools/call", name="add", arguments={"amount": 4})
            assert "error" in reply


@on_loop
async def test_what_comes_in_one_breath_is_answered() -> None:
    """A notification has no reply to wait for, so a client may well be this fast."""
    many = 5 * MOST_UNANSWERED
    async with serving() as app, Peer(app, "/mcp") as client:
        await client.call("initialize", protocolVersion="2025-11-25", capabilities={})
        for number in range(many):
            client.send('{"jsonrpc":"2.0","method":"notifications/progress"}')
            client.send(f'{{"jsonrpc":"2.0","id":{number},"method":"ping"}}')
        await until(lambda: client.unheard == many or client.close_code is not None)
        replies = [await client.hear() for _ in range(many)]
        assert [each["id"] for each in replies] == [*range(many)]
        await asyncio.sleep(0)
        assert client.close_code is None
