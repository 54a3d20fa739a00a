"""Conversations over HTTP: JSON or events, leaving and coming back, and who is let in."""

import asyncio
from typing import Any

import pytest

from tests.conversation.browser import Browser, serving
from tests.conversation.clients import IDLE_S
from tests.conversation.world import Game, Inline, World
from tests.leaks import on_loop, until
from tests.manual_clock import ManualClock
from tests.peer import Peer

ERAS = pytest.mark.parametrize("revision", ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"])


@ERAS
@pytest.mark.parametrize("kind", [World, Inline])
@on_loop
async def test_a_tool_that_says_nothing_is_answered_in_json(revision: str, kind: Any) -> None:
    async with serving(kind) as app:
        client = await Browser(app, revision).begin()
        for _ in range(2):
            async with client.tool("add", amount=1) as reply:
                assert (await reply.json())["result"]["content"][0]["type"] == "text"
                assert reply.status == 200


@ERAS
@pytest.mark.parametrize(("kind", "tool"), [(World, "talk"), (Inline, "talk"), (World, "chat")])
@on_loop
async def test_what_a_tool_says_comes_as_events_before_the_answer(
    revision: str, kind: Any, tool: str
) -> None:
    async with serving(kind) as app:
        client = await Browser(app, revision).begin()
        async with client.tool(tool, identity="x") as reply:
            events = [each for each in await reply.events() if each.data is not None]
            *lines, answer = [each.data for each in events]
            assert [line["params"]["data"] for line in lines] == ["line 0", "line 1", "line 2"]
            assert (answer["id"], answer["result"]["content"][0]["text"]) == ("x", "said")
            identified = revision != "2026-07-28"
            assert all((each.id is not None) is identified for each in events)
            assert len({each.id for each in events}) == (4 if identified else 1)


@ERAS
@on_loop
async def test_only_2025_11_25_primes_a_stream_and_says_when_to_come_back(revision: str) -> None:
    async with serving() as app:
        client = await Browser(app, revision).begin()
        async with client.tool("chat") as reply:
            first, *others = await reply.events()
            primed = (first.id is not None, first.retry is not None, first.data is None)
            assert primed == ((True, True, True) if revision == "2025-11-25" else primed)
            assert (first.data is None) is (revision == "2025-11-25")
            assert all(each.retry is None and each.data is not None for each in others)
            assert (first.retry is not None) is (revision == "2025-11-25")


@pytest.mark.parametrize("aloud", [True, False])
@pytest.mark.parametrize("revision", ["2025-06-18", "2025-11-25"])
@on_loop
async def test_a_client_that_is_sent_away_comes_back_for_the_rest(
    revision: str, aloud: bool
) -> None:
    async with serving() as app:
        client = await Browser(app, revision).begin()
        async with client.tool("part", identity=9, aloud=aloud) as reply:
            if revision != "2025-11-25" and not aloud:  # it has no id to come back with
                World.gate.set()
                messages = [each.data for each in await reply.events()]
                assert messages[-1]["result"]["content"][0]["text"] == "parted"
                return
            events = await reply.events()
        before = [each.data["params"]["data"] for each in events if each.data is not None]
        assert before == (["before"] if aloud else [])
        World.gate.set()
        for _ in range(2):  # a reply that was lost may be fetched again
            async with client.get(events[-1].id) as rest:
                after = await rest.events()
                assert [each.data.get("id") for each in after] == [None, 9]
                assert after[0].data["params"]["data"] == "after"


@on_loop
async def test_a_connection_that_broke_is_taken_up_where_it_broke() -> None:
    async with serving() as app:
        client = await Browser(app).begin()
        async with client.tool("wait", identity=9, name="aloud") as reply:
            primed, first = await reply.events(2)
            assert primed.data is None
        assert World.cancelled == []  # to leave is not to cancel
        async with client.get(first.id) as rest:
            await rest.begun()
            World.gate.set()
            (answer,) = await rest.events()
            assert answer.data["result"]["content"][0]["text"] == "waited"
        async with client.get(primed.id) as everything:
            assert [each.id for each in await everything.events()] == [first.id, answer.id]


@pytest.mark.parametrize("last", ["", "x", "99_1", "1_x", "_", "0_-1", "1_" + "9" * 100])
@on_loop
async def test_an_unknown_event_id_is_refused_and_a_strange_one_harms_nobody(last: str) -> None:
    async with serving() as app:
        client = await Browser(app).begin()
        async with client.tool("chat") as reply:
            await reply.events()
        async with client.get(last) as rest:
            await rest.begun()
            if rest.status == 200:
                assert await rest.events() == []
            else:
                assert (rest.status, (await rest.json())["error"]["code"]) == (400, -32600)


@on_loop
async def test_an_answer_that_was_sent_whole_is_not_kept() -> None:
    async with serving() as app:
        client = await Browser(app).begin()
        async with client.tool("add", amount=1) as reply:
            await reply.json()
        async with client.tool("chat", times=1) as reply:
            key, _, _ = str((await reply.events())[0].id).partition("_")
        async with client.get(f"{int(key) - 1}_0") as rest:
            assert await rest.events() == []
        async with client.get(f"{key}_0") as rest:
            assert len(await rest.events()) == 2


@pytest.mark.parametrize("said", [False, True])
@on_loop
async def test_to_close_the_connection_cancels_on_2026_07_28_alone(said: bool) -> None:
    name = "aloud" if said else "silent"
    async with serving() as app:
        modern = await Browser(app, "2026-07-28").begin()
        async with modern.tool("wait", name=name) as reply:
            await until(lambda: World.entered)
            if said:
                await reply.events(1)
        await until(lambda: World.cancelled == [name])
        legacy = await Browser(app).begin()
        async with legacy.tool("wait", name=name):
            await until(lambda: len(World.entered) == 2)
        await asyncio.sleep(0.01)
        assert World.cancelled == [name]
        World.gate.set()


@pytest.mark.parametrize("kind", [World, Game])
@pytest.mark.parametrize("name", ["silent", "aloud"])
@on_loop
async def test_a_call_taken_back_stops_and_frees_its_turn(name: str, kind: Any) -> None:
    async with serving(kind, "simulation") as app:
        client = await Browser(app).begin()
        async with client.tool("wait", identity="w", name=name) as reply:
            await until(lambda: World.entered)
            params = {"requestId": "w", "reason": "enough"}
            cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
            assert await client.say(cancelled) == 202
            await until(lambda: reply.is_complete)
            assert b'"result"' not in reply.body
            assert b'"error":{' not in reply.body
        await until(lambda: World.cancelled == [name])
        async with client.tool("add", amount=1) as reply:
            assert (await reply.json())["result"]["content"][0]["text"] == "1"
        assert await client.say(cancelled) == 202  # what is over is left as it is


@on_loop
async def test_the_stream_of_a_get_tells_of_changes() -> None:
    async with serving() as app:
        client = await Browser(app).begin()
        async with client.post("resources/subscribe", {"uri": "note://total"}) as reply:
            assert (await reply.json())["result"] == {}
        async with client.get() as stream:
            await stream.begun()
            for tool, arguments in (("learn", {"name": "fresh"}), ("touch", {})):
                async with client.tool(tool, **arguments) as reply:
                    await reply.json()
            first, second = [each.data for each in await stream.events(2)]
            assert first["method"] == "notifications/tools/list_changed"
            assert second["method"] == "notifications/resources/updated"
            assert second["params"] == {"uri": "note://total"}
            async with client.post("resources/unsubscribe", {"uri": "note://total"}) as reply:
                await reply.json()
            for tool, arguments in (("touch", {}), ("learn", {"name": "other"})):
                async with client.tool(tool, **arguments) as reply:
                    await reply.json()
            assert (await stream.events(3))[-1].data == first


@on_loop
async def test_a_second_get_takes_over() -> None:
    async with serving() as app:
        client = await Browser(app).begin()
        async with client.tool("add", amount=1) as reply:
            await reply.json()
        async with client.get() as first:
            await first.begun()
            async with client.get() as second:
                await until(lambda: first.is_complete)
                async with client.tool("learn", name="fresh") as reply:
                    await reply.json()
                (event,) = await second.events(1)
                assert event.data["method"] == "notifications/tools/list_changed"
                assert first.body == b""
                assert not second.is_complete


@on_loop
async def test_delete_ends_a_stream_and_a_call() -> None:
    async with serving() as app:
        client = await Browser(app).begin()
        async with client.get() as stream, client.tool("wait") as reply:
            await until(lambda: World.entered)
            assert await client.delete() == 200
            await until(lambda: stream.is_complete and reply.is_complete)
        assert (World.alive, World.cancelled) == ([], ["wait"])
        assert await client.delete() == 404
        async with client.get() as stream:
            assert (await stream.begun()).status == 404


@on_loop
async def test_a_client_that_only_listens_is_not_idle_until_it_vanishes() -> None:
    clock = ManualClock()
    async with serving(clock=clock) as app:
        client = await Browser(app).begin()
        async with client.get() as stream:
            await stream.begun()
            await clock.advance(IDLE_S * 3)
            assert not stream.is_complete
        await clock.advance(IDLE_S * 1.5)
        assert await client.delete() == 404


def verify(token: str) -> str | None:
    """Two principals, each with a token."""
    return {"token-of-ann": "ann", "token-of-bob": "bob"}.get(token)


@on_loop
async def test_sessions_and_environments_are_bound_to_the_principal() -> None:
    async with serving(verify_token=verify) as app:
        ann = await Browser(app, token="token-of-ann").begin()
        bob = Browser(app, token="token-of-bob")
        bob.headers["mcp-session-id"] = ann.headers["mcp-session-id"]
        async with ann.tool("add", amount=1) as reply:
            await reply.json()
        async with bob.tool("add", amount=1) as reply:
            assert (await reply.json())["error"]["code"] == -32602
            assert reply.status == 404
        async with bob.get() as reply:
            assert (await reply.begun()).status == 404
        assert await bob.delete() == 404
        ann_too = Browser(app, "2026-07-28", "token-of-ann")
        bob_too = Browser(app, "2026-07-28", "token-of-bob")
        async with ann_too.tool("openenv_open_session") as reply:
            opened = (await reply.json())["result"]["structuredContent"]
        for client, text in ((ann_too, "5"), (bob_too, "Unknown or expired")):
            async with client.tool("add", amount=5, **opened) as reply:
                told = (await reply.json())["result"]["content"][0]["text"]
                assert told.startswith(text)
        for client, text in ((ann_too, "1"), (bob_too, "1"), (ann_too, "2")):
            async with client.tool("add", amount=1) as reply:
                assert (await reply.json())["result"]["content"][0]["text"] == text
        async with Browser(app, "2026-07-28").tool("add", amount=1) as reply:
            assert (await reply.begun()).status == 401


@on_loop
async def test_capacity_and_the_most_sessions_are_told() -> None:
    async with serving(max_mcp_sessions=1, max_concurrent_envs=1) as app:
        client = await Browser(app).begin()
        params = {"protocolVersion": "2025-11-25", "capabilities": {}}
        async with Browser(app).post("initialize", params) as reply:
            assert "sessions" in (await reply.json())["error"]["message"]
            assert reply.status == 503
            assert "mcp-session-id" not in reply.headers
        async with client.tool("add", amount=1) as reply:
            await reply.json()
        async with Browser(app, "2026-07-28").tool("add", amount=1) as reply:
            assert (await reply.json())["result"]["isError"] is True
            assert reply.status == 200


@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
@on_loop
async def test_an_agent_joins_a_trainer_s_websocket(revision: str) -> None:
    async with serving(Game, "simulation") as app:
        async with Peer(app) as trainer:
            await trainer.ask("reset", {"seed": 918273})
            query = f"session_id={trainer.session_id}"
            agent = await Browser(app, revision, query=query).begin()
            async with agent.tool("add", amount=4) as reply:
                assert (await reply.json())["result"]["content"][0]["text"] == "4"
                assert b"7319.25" not in reply.body
                assert b"918273" not in reply.body
            assert (await trainer.ask("state"))["step_count"] == 1
            call = {"type": "call_tool", "tool_name": "add", "arguments": {"amount": 6}}
            seen = await trainer.ask("step", call)
            assert (seen["reward"], seen["done"]) == (7319.25, True)
            async with agent.tool("add", amount=1) as reply:
                assert (await reply.json())["result"]["isError"] is True
            await trainer.ask("reset", {})
            async with agent.tool("add", amount=1) as reply:
                assert (await reply.json())["result"]["content"][0]["text"] == "1"
        assert World.built == 1
