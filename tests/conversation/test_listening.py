"""`subscriptions/listen` of 2026-07-28."""

import asyncio
from typing import Any

import pytest

from openenv_lite.conversation.stream import Stream
from tests.conversation.clients import META, Linked, LinkedModern, Modern, house
from tests.conversation.world import Game, World
from tests.leaks import on_loop, until

ID = f"{META}subscriptionId"
EVERYTHING = {
    "toolsListChanged": True,
    "promptsListChanged": True,
    "resourcesListChanged": True,
    "resourceSubscriptions": ["note://total"],
}


class Listener:
    """Listens through a client of its own, like it in everything else."""

    def __init__(self, client: Modern, wanted: dict[str, Any], identity: Any = "L") -> None:
        self.client = Modern(client.house, client.principal, client.session_id)
        params = {"notifications": wanted}
        taken = self.client.send("subscriptions/listen", params, identity)
        assert isinstance(taken, Stream)
        self.stream = taken
        self.task = asyncio.create_task(self.client.listen(self.stream))

    async def heard(self, count: int) -> list[Any]:
        await until(lambda: len(self.client.heard) >= count)
        await asyncio.sleep(0)
        return self.client.heard


@pytest.mark.parametrize("identity", [0, 17, "", "L"])
@on_loop
async def test_everything_is_acknowledged_told_and_tagged(identity: Any) -> None:
    async with house(World) as home:
        client = Modern(home)
        listener = Listener(client, EVERYTHING, identity)
        (acknowledged,) = await listener.heard(1)
        assert acknowledged["method"] == "notifications/subscriptions/acknowledged"
        assert acknowledged["params"]["notifications"] == EVERYTHING
        await client.tool("learn", name="fresh")
        await client.tool("touch")
        _, changed, updated = await listener.heard(3)
        assert changed["method"] == "notifications/tools/list_changed"
        assert updated["method"] == "notifications/resources/updated"
        assert updated["params"]["uri"] == "note://total"
        for each in listener.client.heard:
            assert each["params"]["_meta"] == {ID: identity}
            assert "id" not in each
        listener.stream.cancel()
        await listener.task


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"promptsListChanged": True},
        {"resourceSubscriptions": ["note://other"]},
        {"resourcesListChanged": True},
        {"toolsListChanged": False},
    ],
    ids=str,
)
@on_loop
async def test_nothing_is_told_that_was_not_asked_for(wanted: dict[str, Any]) -> None:
    async with house(World) as home:
        client = Modern(home)
        listener, all_ears = Listener(client, wanted), Listener(client, EVERYTHING)
        await all_ears.heard(1)
        await client.tool("learn", name="fresh")
        await client.tool("touch")
        await all_ears.heard(3)
        (acknowledged,) = await listener.heard(1)
        told = {name: value for name, value in wanted.items() if value}
        assert acknowledged["params"]["notifications"] == told
        for each in (listener, all_ears):
            each.stream.cancel()
            await each.task


@pytest.mark.parametrize(
    "wanted",
    [None, [], {"toolsListChanged": 5}, {"resourceSubscriptions": "note://total"}],
    ids=str,
)
@on_loop
async def test_a_filter_that_is_none_is_refused(wanted: Any) -> None:
    async with house(World) as home:
        client = Modern(home)
        reply = await client.request("subscriptions/listen", notifications=wanted)
        assert reply["error"]["code"] == -32602
        assert World.built == 0


@on_loop
async def test_the_end_of_the_environment_is_the_end_of_the_stream() -> None:
    async with house(World) as home:
        session = await home.trainer()
        listener = Listener(Modern(home, session_id=session.id), EVERYTHING)
        await listener.heard(1)
        await home.pool.close(session)
        await asyncio.wait_for(listener.task, 5)
        end = listener.client.heard[-1]
        assert end["id"] == "L"
        assert end["result"]["resultType"] == "complete"
        assert end["result"]["_meta"][ID] == "L"


@on_loop
async def test_a_listener_in_a_common_environment_is_told_when_that_begins_anew() -> None:
    async with house(Game, "simulation") as home:
        client = Modern(home)
        await client.tool("add", amount=10)
        await client.tool("add", amount=1)
        listener = Listener(client, EVERYTHING)
        await listener.heard(1)
        await client.tool("add", amount=10)
        await client.tool("add", amount=1)
        await asyncio.wait_for(listener.task, 5)
        assert listener.client.heard[-1]["result"]["resultType"] == "complete"


@on_loop
async def test_a_listener_that_leaves_is_forgotten() -> None:
    async with house(World) as home:
        client = Modern(home)
        listener = Listener(client, EVERYTHING)
        await listener.heard(1)
        (lease,) = home.pool._leases.values()
        assert len(lease.session.watchers) == 1
        listener.stream.cancel()
        await listener.task
        await until(lambda: not lease.session.watchers)


@on_loop
async def test_principals_hear_nothing_of_each_other() -> None:
    async with house(World) as home:
        ann, bob = Modern(home, "ann"), Modern(home, "bob")
        listeners = [Listener(ann, EVERYTHING), Listener(bob, EVERYTHING)]
        for each in listeners:
            await each.heard(1)
        await bob.tool("touch")
        await listeners[1].heard(2)
        assert len(listeners[0].client.heard) == 1
        for each in listeners:
            each.stream.cancel()
            await each.task


@on_loop
async def test_on_a_link_it_is_taken_back_by_a_notification() -> None:
    async with house(World) as home:
        client: Linked = await LinkedModern(home).begin()
        client.send("subscriptions/listen", {"notifications": EVERYTHING}, "L")
        await until(lambda: client.heard)
        await client.tool("touch")
        await until(lambda: len(client.heard) == 2)
        assert client.heard[-1]["params"]["_meta"] == {ID: "L"}
        params = {"requestId": "L"}
        client.put({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
        await client.tool("touch")
        assert len(client.heard) == 2
        await client.end()
