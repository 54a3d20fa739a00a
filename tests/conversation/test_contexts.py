"""A context belongs to one call: what a tool kept of it, or left running, reaches nobody else."""

import asyncio
from typing import Any, ClassVar

import httpx
import pytest

from openenv_lite import Context
from openenv_lite.conversation.service import Inbound
from openenv_lite.conversation.stream import Stream
from tests.conversation.browser import Browser, serving
from tests.conversation.clients import Legacy, Linked, Modern, house, text_of
from tests.conversation.world import Name, World
from tests.leaks import on_loop, until
from tests.peer import Peer

KINDS = [Legacy, Modern, Linked]


class Keeper(World):
    """Keeps the context of one call, and asks with it in another."""

    kept: ClassVar[Any]

    def __init__(self) -> None:
        super().__init__()
        self.tool(self.keep)
        self.tool(self.lend)
        self.tool(self.reuse)

    def keep(self, context: Context) -> str:
        Keeper.kept = context
        return "kept"

    async def lend(self, context: Context) -> str:
        self.keep(context)
        World.entered.append("lend")
        await World.gate.wait()
        return "lent"

    async def reuse(self) -> str:
        return str(await Keeper.kept.elicit("Who are you?", Name))


class InlineKeeper(Keeper):
    BLOCKING = False


@pytest.mark.parametrize("asking", KINDS)
@pytest.mark.parametrize("keeping", KINDS)
@on_loop
async def test_the_context_of_a_call_that_is_over_asks_nobody(keeping: Any, asking: Any) -> None:
    async with house(Keeper) as home:
        session = await home.trainer()
        one = await keeping(home, None, session.id).begin()
        other = await asking(home, None, session.id).begin()
        await one.tool("keep")
        result = await asyncio.wait_for(other.tool("reuse"), 5)
        assert result["isError"] is True
        assert "is over" in text_of(result)
        assert one.heard == other.heard == []
        await one.end()
        await other.end()


CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"reuse"}}'


@pytest.mark.parametrize("asking", [Legacy, Linked, None])
@on_loop
async def test_a_question_that_only_2026_07_28_could_ask_is_an_error_elsewhere(asking: Any) -> None:
    async with house(Keeper) as home:
        lending = asyncio.create_task(Modern(home).tool("lend"))
        await until(lambda: World.entered)
        if asking is None:  # OpenEnv's dialect
            other: Any = Legacy(home)
            reply = await asyncio.wait_for(other.finish(home.service.receive(Inbound(CALL))), 5)
        else:
            other = await asking(home).begin()
            call = other.request("tools/call", name="reuse", arguments={})
            reply = await asyncio.wait_for(call, 5)
        assert "error" in reply
        World.gate.set()
        assert text_of(await lending) == "lent"
        await other.end()


@on_loop
async def test_such_a_question_is_an_error_to_a_trainer_too() -> None:
    reuse = {"type": "call_tool", "tool_name": "reuse", "arguments": {}}
    async with (
        serving(Keeper, "simulation") as app,
        Browser(app, "2026-07-28").tool("lend") as lending,
        Peer(app) as trainer,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http,
    ):
        await until(lambda: World.entered)
        assert (await trainer.ask("step", reuse))["code"] == "EXECUTION_ERROR"
        assert (await http.post("/step", json={"action": reuse})).status_code == 500
        World.gate.set()
        assert (await lending.json())["result"]["content"][0]["text"] == "lent"


@on_loop
async def test_what_is_said_to_a_kept_context_is_not_heaped_up() -> None:
    async with house(InlineKeeper) as home:
        client = await Legacy(home).begin()
        await client.tool("keep")
        await client.tool("keep")
        for _ in range(10):
            Keeper.kept.log("late", level="error")
        assert Keeper.kept._channel.early == []
        await client.tool("add", amount=1)
        assert client.heard == []


class Gossip(World):
    """Talks on, on a thread or in a task, when its call may be over."""

    def __init__(self) -> None:
        super().__init__()
        self.tool(self.mutter)
        self.tool(self.leave_word)
        self.tool(self.dawdle)

    def mutter(self) -> str:
        World.entered.append("mutter")
        World.barrier.wait(10)
        self.context.log("a secret of Ann's", level="error")
        World.entered.append("said")
        return "muttered"

    async def leave_word(self) -> str:
        World.entered.append("leave_word")
        self.left = asyncio.create_task(asyncio.to_thread(self.mutter))
        return "left"

    def dawdle(self) -> str:
        World.entered.append("dawdle")
        World.barrier.wait(10)
        self.run_coroutine(World.gate.wait)
        return "dawdled"


@pytest.mark.parametrize("tool", ["mutter", "leave_word"])
@on_loop
async def test_what_a_call_left_running_says_is_not_told_to_who_calls_next(tool: str) -> None:
    async with house(Gossip) as home:
        ann, bob = Modern(home), Modern(home)
        ann.log_level = bob.log_level = "debug"
        taken = ann.send("tools/call", {"name": tool, "arguments": {}})
        await until(lambda: "mutter" in World.entered)
        assert isinstance(taken, Stream)
        taken.cancel()
        call = asyncio.create_task(bob.tool("wait"))
        await until(lambda: "wait" in World.entered)
        World.barrier.set()
        await until(lambda: "said" in World.entered)
        World.gate.set()
        assert text_of(await call) == "waited"
        assert bob.heard == []
        assert World.built == 1


@pytest.mark.parametrize("era", [Legacy, Modern])
@on_loop
async def test_a_cancelled_tool_holds_its_thread_for_nothing_on_the_loop(era: Any) -> None:
    async with house(Gossip) as home:
        client = await era(home).begin()
        taken = client.send("tools/call", {"name": "dawdle", "arguments": {}})
        await until(lambda: World.entered)
        taken.cancel()
        World.barrier.set()
        assert text_of(await asyncio.wait_for(client.tool("add", amount=1), 5)) == "1"
