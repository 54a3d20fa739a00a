"""Several messages in one array, as 2025-03-26 has it."""

import asyncio
from typing import Any

from openenv_lite.conversation.conversations import FAIR_SHARE
from openenv_lite.conversation.stream import Stream
from tests.conversation.clients import House, Legacy, house
from tests.conversation.world import World
from tests.leaks import on_loop, until


async def begun(home: House) -> Legacy:
    client = Legacy(home)
    client.revision = "2025-03-26"
    return await client.begin()


def posted(client: Legacy, batch: list[dict[str, Any]]) -> Stream:
    taken = client.post_on(batch)
    assert isinstance(taken, Stream)
    return taken


@on_loop
async def test_a_call_within_a_batch_ends_with_its_client() -> None:
    async with house(World) as home:
        client = await begun(home)
        call = {"jsonrpc": "2.0", "id": 50, "method": "tools/call", "params": {"name": "wait"}}
        posted(client, [call])
        await until(lambda: World.entered)
        await asyncio.wait_for(client.leave(), 5)
        assert World.cancelled == ["wait"]
        assert World.alive == []


@on_loop
async def test_a_long_batch_leaves_turns_to_others() -> None:
    async with house(World) as home:
        client = await begun(home)
        ping = {"jsonrpc": "2.0", "id": 50, "method": "ping"}
        taken, turns = posted(client, [ping] * (20 * FAIR_SHARE)), 0
        while taken.is_under_way:
            await asyncio.sleep(0)
            turns += 1
        assert turns >= 20
