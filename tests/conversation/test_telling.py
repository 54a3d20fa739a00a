"""What a tool tells while it runs: to whom it comes, and to whom it does not."""

import asyncio
from typing import Any

import pytest

from openenv_lite.context import LOG_LEVELS
from openenv_lite.conversation.stream import Answer, Stream
from tests.conversation.clients import Legacy, Modern, house, notes, text_of
from tests.conversation.world import Inline, World
from tests.leaks import on_loop, until

KINDS = pytest.mark.parametrize("kind", [World, Inline])
HEARD_AT = {"debug": 4, "info": 4, "notice": 2, "warning": 2, "error": 0, "emergency": 0}


@pytest.mark.parametrize(("level", "count"), HEARD_AT.items())
@KINDS
@on_loop
async def test_a_client_hears_the_levels_it_asked_for(kind: Any, level: str, count: int) -> None:
    async with house(kind) as home:
        client = await Legacy(home).begin()
        await client.request("logging/setLevel", level=level)
        await client.tool("talk", times=4)
        modern = Modern(home)
        modern.log_level = level
        await modern.tool("talk", times=4)
        for each in (client, modern):
            assert len(notes(each, "message")) == count
            assert {line["level"] for line in notes(each, "message")} <= {*LOG_LEVELS}


@on_loop
async def test_a_level_that_does_not_exist_is_refused() -> None:
    async with house(World) as home:
        client = await Legacy(home).begin()
        reply = await client.request("logging/setLevel", level="loud")
        assert reply["error"]["code"] == -32602
        modern = Modern(home)
        modern.log_level = "loud"
        assert (await modern.request("tools/list"))["error"]["code"] == -32602


@KINDS
@on_loop
async def test_without_a_level_there_is_no_log_on_2026_07_28(kind: Any) -> None:
    async with house(kind) as home:
        client = Modern(home)
        for tool in ("talk", "chat"):
            taken = client.send("tools/call", {"name": tool, "arguments": {}})
            if isinstance(taken, Stream):
                assert await taken.only_answer() is not None
            else:
                assert taken.status == 200


@KINDS
@pytest.mark.parametrize("tool", ["talk", "chat"])
@pytest.mark.parametrize("token", [0, 7, "", "abc"])
@on_loop
async def test_progress_comes_with_the_token_of_its_request(
    kind: Any, tool: str, token: Any
) -> None:
    async with house(kind) as home:
        modern = Modern(home)
        modern.token = token
        legacy = await Legacy(home).begin()
        params = {"name": tool, "arguments": {}}
        await modern.request("tools/call", **params)
        await legacy.request("tools/call", **params, _meta={"progressToken": token})
        for client in (modern, legacy):
            told = notes(client, "progress")
            assert [each["progress"] for each in told] == [0, 1, 2]
            assert all(each["progressToken"] == token for each in told)
            assert all(each["total"] == 3 for each in told)


@pytest.mark.parametrize("token", [None, True, 1.5, {}, []])
@on_loop
async def test_without_a_proper_token_there_is_no_progress(token: Any) -> None:
    async with house(World) as home:
        client = await Legacy(home).begin()
        meta = {} if token is None else {"_meta": {"progressToken": token}}
        reply = await client.request("tools/call", name="chat", arguments={}, **meta)
        assert notes(client, "progress") == []
        assert ("error" in reply) is (token is not None)


@KINDS
@on_loop
async def test_what_is_told_keeps_its_order_and_the_answer_is_last(kind: Any) -> None:
    async with house(kind) as home:
        client = await Legacy(home).begin()
        for tool in ("talk", "chat"):
            client.heard.clear()
            reply = await client.request(
                "tools/call",
                name=tool,
                arguments={"times": 20},
                _meta={"progressToken": 1},
            )
            assert text_of(reply["result"]) == "said"
            told = [each["params"] for each in client.heard]
            lines = [each["data"] for each in told if "data" in each]
            assert lines == [f"line {number}" for number in range(20)]
            assert [each["progress"] for each in told if "progress" in each] == [*range(20)]
            assert ["data" in each for each in told] == [True, False] * 20


@on_loop
async def test_a_tool_that_talks_much_loses_its_first_words_and_never_its_answer() -> None:
    async with house(Inline) as home:
        client = await Legacy(home).begin()
        result = await client.tool("talk", times=400)
        assert text_of(result) == "said"
        lines = [each["data"] for each in notes(client, "message")]
        assert lines == [f"line {number}" for number in range(400 - 255, 400)]


@on_loop
async def test_each_client_hears_its_own_tools_only() -> None:
    async with house(World) as home:
        session = await home.trainer()
        ann = await Legacy(home, session_id=session.id).begin()
        bob = await Legacy(home, session_id=session.id).begin()
        await asyncio.gather(ann.tool("chat", times=5), bob.tool("chat", times=3))
        assert (len(notes(ann, "message")), len(notes(bob, "message"))) == (5, 3)


@pytest.mark.parametrize("kind", [World, Inline])
@on_loop
async def test_a_call_cancelled_before_it_ran_leaves_nothing(kind: Any) -> None:
    async with house(kind) as home:
        client = await Legacy(home).begin()
        await client.tool("add", amount=1)
        taken = client.send("tools/call", {"name": "wait", "arguments": {}}, "w")
        client.cancel("w")
        assert isinstance(taken, Stream)
        assert await taken.only_answer() == Answer(None, 202)
        assert text_of(await client.tool("add", amount=1)) == "2"


@on_loop
async def test_what_a_cancelled_tool_still_says_is_not_told() -> None:
    async with house(World) as home:
        client = await Legacy(home).begin()
        taken = client.send("tools/call", {"name": "block", "arguments": {}}, "b")
        assert isinstance(taken, Stream)
        await until(lambda: World.entered)
        client.cancel("b")
        World.barrier.set()
        assert text_of(await client.tool("add", amount=1)) == "1"
        assert await client.listen(taken, 0) == []
        assert client.heard == []
