"""Tools that ask their client in the middle of a call, in both eras."""

import asyncio
from typing import Any

import pytest

from tests.conversation.clients import Legacy, Modern, accepted, connect, house, text_of
from tests.conversation.world import Game, World
from tests.leaks import on_loop, until

WAITING = pytest.mark.parametrize("wire", ["session", "link"])
ASKED_ANEW = pytest.mark.parametrize("wire", ["common", "named", "modern link", "handle"])


def replying(**answer: Any) -> Any:
    return lambda asked: answer


@WAITING
@on_loop
async def test_a_tool_waits_for_the_answer(wire: str) -> None:
    async with house(World) as home:
        client = await connect(wire, home)
        assert text_of(await client.tool("greet")) == "Hello, Ann"
        (asked,) = [each for each in client.heard if "id" in each]
        assert asked["method"] == "elicitation/create"
        assert asked["params"]["requestedSchema"]["properties"] == {"name": {"type": "string"}}
        await client.end()


@WAITING
@on_loop
async def test_several_questions_are_asked_side_by_side(wire: str) -> None:
    async with house(World) as home:
        client = await connect(wire, home)
        answers = {
            "elicitation/create": {"result": accepted("Bo")},
            "roots/list": {"result": {"roots": [{"uri": "file:///a"}, {"uri": "file:///b"}]}},
        }
        client.answer = lambda asked: answers[asked["method"]]
        assert text_of(await client.tool("explore")) == "Bo in 2"
        await client.end()


@WAITING
@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"result": {"action": "decline"}}, "They decline"),
        ({"result": {"action": "cancel"}}, "They cancel"),
    ],
)
@on_loop
async def test_a_person_may_refuse(wire: str, answer: Any, text: str) -> None:
    async with house(World) as home:
        client = await connect(wire, home)
        client.answer = replying(**answer)
        assert text_of(await client.tool("greet")) == text
        await client.end()


@WAITING
@pytest.mark.parametrize(
    "answer",
    [
        {"error": {"code": -1, "message": "no"}},
        {"result": {"action": "accept", "content": {"name": 5}}},
        {"result": {"action": "accept"}},
        {"result": []},
        {"result": None},
    ],
    ids=str,
)
@on_loop
async def test_an_answer_that_is_none_ends_the_call_and_not_the_client(
    wire: str, answer: Any
) -> None:
    async with house(World) as home:
        client = await connect(wire, home)
        client.answer = replying(**answer)
        for tool in ("greet", "explore"):
            assert (await client.tool(tool))["isError"] is True
        assert text_of(await client.tool("add", amount=1)) == "1"
        await client.end()


@WAITING
@on_loop
async def test_a_client_that_cannot_is_not_asked(wire: str) -> None:
    async with house(World) as home:
        client = await connect(wire, home)
        plain = await type(client)(home, capabilities={"sampling": {}}).begin()
        refused = await plain.tool("greet")
        assert (refused["isError"], plain.heard) == (True, [])
        assert "elicitation" in text_of(refused)
        await client.end()
        await plain.end()


@on_loop
async def test_answers_to_nothing_are_ignored() -> None:
    async with house(World) as home:
        client, other = await Legacy(home).begin(), await Legacy(home).begin()
        client.answer = lambda asked: None
        call = asyncio.create_task(client.tool("greet"))
        await until(lambda: client.heard)
        identity = client.heard[0]["id"]
        for stray in ("ask-999", 7, f"{identity}x"):
            client.settle(stray, {"result": accepted("Stray")})
        other.settle(identity, {"result": accepted("Thief")})
        await asyncio.sleep(0)
        assert not call.done()
        client.settle(identity, {"result": accepted("Ann")})
        client.settle(identity, {"result": accepted("Late")})
        assert text_of(await call) == "Hello, Ann"


@WAITING
@pytest.mark.parametrize("kind", [World, Game])
@on_loop
async def test_a_client_that_goes_while_it_is_asked_leaves_nothing(
    wire: str, kind: type[World]
) -> None:
    async with house(kind, "simulation") as home:
        client = await connect(wire, home)
        client.answer = lambda asked: None
        taken = client.send("tools/call", {"name": "explore", "arguments": {}})
        call = asyncio.create_task(client.finish(taken))
        await until(lambda: len(client.heard) == 2)
        if isinstance(client, Legacy):
            await asyncio.wait_for(client.leave(), 5)
            await asyncio.wait_for(call, 5)
            assert World.alive == []
        else:
            await asyncio.wait_for(client.end(), 5)
            call.cancel()


@pytest.mark.parametrize("kind", [World, Game])
@WAITING
@on_loop
async def test_a_call_that_is_taken_back_while_it_asks_frees_its_environment(
    wire: str, kind: type[World]
) -> None:
    async with house(kind, "simulation") as home:
        client = await connect(wire, home)
        client.answer = lambda asked: None
        taken = client.send("tools/call", {"name": "greet", "arguments": {}}, 70)
        call = asyncio.create_task(client.finish(taken))
        await until(lambda: client.heard)
        params = {"requestId": 70}
        cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
        getattr(client, "inform" if isinstance(client, Legacy) else "put")(cancelled)
        assert text_of(await asyncio.wait_for(client.tool("add", amount=1), 2)) == "1"
        call.cancel()
        await client.end()


@ASKED_ANEW
@on_loop
async def test_a_call_that_asks_comes_again_with_the_answer(wire: str) -> None:
    async with house(World) as home:
        client = await connect(wire, home)
        asked = await client.tool("greet")
        assert asked["resultType"] == "input_required"
        question = asked["inputRequests"]["1"]
        assert question["method"] == "elicitation/create"
        assert "ttlMs" not in asked
        again = {"requestState": asked["requestState"], "inputResponses": {"1": accepted("Bo")}}
        reply = await client.request("tools/call", name="greet", arguments={}, **again)
        assert text_of(reply["result"]) == "Hello, Bo"
        assert reply["result"]["resultType"] == "complete"
        await client.end()


@on_loop
async def test_earlier_answers_travel_in_the_state() -> None:
    async with house(World) as home:
        client = Modern(home)
        first = await client.tool("meet")
        assert list(first["inputRequests"]) == ["first"]
        second = await retry(client, first, {"first": accepted("Ann")})
        assert list(second["inputRequests"]) == ["second"]
        assert second["requestState"] != first["requestState"]
        done = await retry(client, second, {"second": accepted("Bo")})
        assert text_of(done) == "Ann and Bo"
        World.alive[0].total = 0
        elsewhere = house_mate(client)
        assert text_of(await retry(elsewhere, second, {"second": accepted("Cy")})) == "Ann and Cy"
        assert World.alive[0].total == 1


def house_mate(client: Modern) -> Modern:
    """The same client at another server that has the key."""
    mate = Modern(client.house, client.principal)
    mate.service = client.house.another()
    mate.service.site._common = client.service.site._common
    return mate


async def retry(client: Modern, asked: Any, answers: Any, tool: str = "meet", **more: Any) -> Any:
    params = {"requestState": asked["requestState"], "inputResponses": answers, **more}
    reply = await client.request("tools/call", **{"name": tool, "arguments": {}, **params})
    return reply.get("result", reply)


@pytest.mark.parametrize(
    ("answers", "still"),
    [(None, "first"), ({}, "first"), ({"other": accepted("x")}, "first")],
    ids=str,
)
@on_loop
async def test_what_is_not_answered_is_asked_again(answers: Any, still: str) -> None:
    async with house(World) as home:
        client = Modern(home)
        first = await client.tool("meet")
        assert list((await retry(client, first, answers))["inputRequests"]) == [still]
        stateless = await client.request("tools/call", name="meet", inputResponses=answers)
        assert list(stateless["result"]["inputRequests"]) == [still]


@pytest.mark.parametrize("answers", [{"first": 5}, {"first": {}}, {"first": accepted(5)}], ids=str)
@on_loop
async def test_an_answer_that_does_not_fit_is_refused(answers: Any) -> None:
    async with house(World) as home:
        client = Modern(home)
        first = await client.tool("meet")
        assert (await retry(client, first, answers))["error"]["code"] == -32602
        assert World.alive[0].total == 0


@on_loop
async def test_answers_need_no_state() -> None:
    async with house(World) as home:
        answers = {"1": accepted("Bo"), "more": accepted("x")}
        reply = await Modern(home).request("tools/call", name="greet", inputResponses=answers)
        assert text_of(reply["result"]) == "Hello, Bo"


@on_loop
async def test_a_state_that_is_not_ours_or_not_this_request_s_is_refused() -> None:
    async with house(World) as home:
        ann = Modern(home, "ann")
        asked = await ann.tool("meet")
        answers = {"first": accepted("Ann")}

        async def code(client: Modern, **changes: Any) -> int:
            found: int = (await retry(client, {**asked, **changes}, answers))["error"]["code"]
            return found

        state = asked["requestState"]
        flipped = state[:40] + ("A" if state[40] != "A" else "B") + state[41:]
        for altered in (state + "-TAMPERED", state[:-1], "", "x", flipped):
            assert await code(ann, requestState=altered) == -32602
        for stranger in ("bob", None):
            assert await code(Modern(home, stranger)) == -32602
        for name, arguments in (("greet", {}), ("meet", {"extra": 1})):
            other = await retry(ann, asked, answers, arguments=arguments, name=name)
            assert other["error"]["code"] == -32602
        assert World.alive[0].total == 0
        assert list((await retry(ann, asked, answers))["inputRequests"]) == ["second"]


@on_loop
async def test_a_state_is_of_one_session() -> None:
    async with house(World) as home:
        mine, other = [Modern(home, None, (await home.trainer()).id) for _ in range(2)]
        asked = await mine.tool("meet")
        answers = {"first": accepted("Ann")}
        for stranger in (other, Modern(home)):
            assert (await retry(stranger, asked, answers))["error"]["code"] == -32602
        assert list((await retry(mine, asked, answers))["inputRequests"]) == ["second"]


@on_loop
async def test_a_state_expires() -> None:
    async with house(World) as home:
        client = Modern(home)
        asked = await client.tool("meet")
        answers = {"first": accepted("Ann")}
        await home.clock.advance(3599)
        assert "inputRequests" in await retry(client, asked, answers)
        await home.clock.advance(2)
        assert (await retry(client, asked, answers))["error"]["code"] == -32602


@on_loop
async def test_a_client_of_2026_that_cannot_is_told_what_it_lacks() -> None:
    async with house(World) as home:
        client = Modern(home, capabilities={"sampling": {}})
        reply = await client.request("tools/call", name="explore")
        assert reply["error"]["code"] == -32021
        assert reply["error"]["data"] == {"requiredCapabilities": {"elicitation": {}, "roots": {}}}
        assert client.last is not None
        assert client.last.status == 400


@on_loop
async def test_a_waiting_question_holds_no_other_client_up() -> None:
    async with house(World) as home:
        client, other = await Legacy(home).begin(), await Legacy(home).begin()
        client.answer = lambda asked: None
        call = asyncio.create_task(client.tool("greet"))
        await until(lambda: client.heard)
        assert text_of(await other.tool("add", amount=1)) == "1"
        assert await client.request("ping") == {"jsonrpc": "2.0", "id": 2, "result": {}}
        client.settle(client.heard[0]["id"], {"result": accepted("Ann")})
        assert text_of(await call) == "Hello, Ann"
