"""`cancel`: what it stops is answered, and nothing is left or lost."""

import asyncio
import threading
from typing import Any, ClassVar

import pytest

from openenv_lite import MCPEnvironment
from openenv_lite.batches import (
    Cancel,
    Close,
    Format,
    Mcp,
    Open,
    Receive,
    Reset,
)
from tests.environments import Awaiting, Inline
from tests.leaks import on_loop, until
from tests.server.test_lanes import FORMS, code, opened, totals
from tests.server.test_ws import active, served
from tests.vector.speaking import Speaker, adding


@FORMS
@on_loop
async def test_a_cancelled_step_tells_of_each_lane(form: Format) -> None:
    async with Speaker(served(Awaiting), form) as peer:
        await opened(peer, 3)
        peer.post(adding(1, -1, 2, identity=5))
        await asyncio.sleep(0.005)
        peer.post(Cancel(id=5))
        results = await peer.reply(5)
        assert totals(results) == [1, None, 2]
        assert results.errors == {1: {"code": "CANCELLED", "message": results.errors[1]["message"]}}
        assert Awaiting.cancelled == [-1]
        peer.post(adding(-1, -1, 1, identity=6), Cancel(id=6), adding(0, 0, 0, identity=7))
        assert {each["code"] for each in (await peer.reply(6)).errors.values()} == {"CANCELLED"}
        assert (await peer.reply(7)).errors == {}


class Slow(MCPEnvironment):
    """Its tool, its constructor and its state wait for the test."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING: ClassVar[bool] = True
    gate: ClassVar[threading.Event] = threading.Event()
    entered: ClassVar[threading.Event] = threading.Event()
    alive: ClassVar[set["Slow"]] = set()

    def __init__(self) -> None:
        self.entered.set()
        assert self.gate.wait(10)
        self.alive.add(self)

        @self.tool
        async def hang() -> str:
            """Never end."""
            self.entered.set()
            await asyncio.Event().wait()
            return ""

    def close(self) -> None:
        self.entered.set()
        assert self.gate.wait(10)
        self.alive.discard(self)


@pytest.fixture
def slow() -> Any:
    Slow.gate.set()
    Slow.entered.clear()
    Slow.alive.clear()
    yield
    Slow.gate.set()


CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "hang"}}


@FORMS
@on_loop
async def test_a_cancelled_tool_call_is_answered_as_a_whole(form: Format, slow: None) -> None:
    async with Speaker(served(Slow), form) as peer:
        await peer.want(Open(id=1))
        Slow.entered.clear()
        peer.post(Mcp(id=2, lane=0, data=CALL))
        await until(Slow.entered.is_set)
        peer.post(Mcp(id=3, lane=0, data={**CALL, "method": "tools/list", "params": {}}))
        peer.post(Cancel(id=2))
        assert code(await peer.reply(2)) == "CANCELLED"
        assert (await peer.reply(3)).data["result"]["tools"]
        peer.post(Mcp(id=4, lane=0, data=CALL), Cancel(id=4))
        assert code(await peer.reply(4)) == "CANCELLED"


@FORMS
@on_loop
async def test_a_cancelled_opening_or_closing_is_answered_and_leaves_nothing(
    form: Format, slow: None
) -> None:
    app = served(Slow)
    async with Speaker(app, form) as peer:
        Slow.gate.clear()
        peer.post(Open(id=2, count=3))
        await until(lambda: active(app) == 3)
        peer.post(Cancel(id=2))
        await asyncio.sleep(0.005)
        Slow.gate.set()
        assert code(await peer.reply(2)) == "CANCELLED"
        assert active(app) == 0
        assert not Slow.alive
        peer.post(Open(id=3, count=3), Cancel(id=3))
        assert code(await peer.reply(3)) == "CANCELLED"
        assert active(app) == 0
        await peer.want(Open(id=4, count=2))
        Slow.gate.clear()
        peer.post(Close(id=5), Cancel(id=5))
        assert code(await peer.reply(5)) == "CANCELLED"
        assert (await peer.want(Reset(id=6))).lanes == []
        Slow.gate.set()
        await until(lambda: active(app) == 0)


@FORMS
@on_loop
async def test_what_waits_can_be_cancelled_and_loses_nothing(form: Format) -> None:
    async with Speaker(served(Awaiting), form) as peer:
        await opened(peer, 3)
        peer.post(adding(-1, 1, 2, identity=5, wait=2))
        assert totals(await peer.reply(5)) == [1, 2]
        peer.post(Receive(id=6, wait=1))
        await asyncio.sleep(0.005)
        peer.post(Cancel(id=6))
        assert code(await peer.reply(6)) == "CANCELLED"
        peer.post(Receive(id=7, wait=1), Cancel(id=5))
        told = await peer.reply(7)
        assert told.lanes == [0]
        assert told.errors[0]["code"] == "CANCELLED"


@FORMS
@on_loop
async def test_cancelling_what_is_not_under_way_is_nothing(form: Format) -> None:
    async with Speaker(served(Inline), form) as peer:
        peer.post(Cancel(id=77))
        await opened(peer, 1)
        peer.post(Cancel(id=901), adding(1, identity=901), Cancel(id=901))
        assert totals(await peer.reply(901)) == [1]
        assert totals(await peer.want(adding(1, identity=5))) == [2]
        assert peer.order == []
