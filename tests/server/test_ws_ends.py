import asyncio
import functools
from typing import Any

import pytest

from tests.environments import Awaiting, Inline, Threaded
from tests.leaks import on_loop, until
from tests.manual_clock import ManualClock
from tests.peer import Peer
from tests.server.test_ws import ALL, active, served


def _is_empty(app: Any) -> bool:
    return active(app) == 0


@ALL
@on_loop
async def test_a_peer_that_leaves_while_it_is_being_closed_cancels_nobody(kind: Any) -> None:
    """A close handshake makes the peer's own close arrive while ours is awaited."""

    class Handshaking(Peer):
        async def _take(self, message: Any) -> None:
            await super()._take(message)
            if message["type"] == "websocket.close":
                self.vanish(1000)
                await asyncio.sleep(0.01)

    async with Handshaking(served(kind)) as peer:
        await peer.ask("reset")
        peer.say("close")
        await peer.task


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1006, 1011, 1012, 4000])
@on_loop
async def test_a_peer_that_vanishes_mid_factory_leaves_nothing(code: int, gate: None) -> None:
    class Slow(Threaded):
        def __init__(self) -> None:
            self.entered.set()
            self.gate.wait(10)
            super().__init__()

    clock = ManualClock()
    app = served(Slow, clock=clock, resume_grace_s=30)
    async with Peer(app) as peer:
        await until(Threaded.entered.is_set)
        peer.vanish(code)
        Threaded.gate.set()
        await peer.task
    await clock.advance(100)
    await until(lambda: active(app) == 0)
    assert not Threaded.alive


@pytest.mark.parametrize("code", [1000, 1001, 1012])
@on_loop
async def test_an_async_step_is_cancelled_when_its_client_leaves(code: int) -> None:
    app = served(Awaiting)
    async with Peer(app) as peer:
        await peer.ask("reset")
        peer.say("step", {"amount": -1})
        await asyncio.sleep(0.01)
        await peer.leave(code)
    assert Awaiting.cancelled == [-1]
    assert active(app) == 0
    assert not Awaiting.alive


@on_loop
async def test_an_async_step_whose_connection_broke_is_cancelled_after_the_grace_time() -> None:
    clock = ManualClock()
    app = served(Awaiting, clock=clock, resume_grace_s=30)
    async with Peer(app) as peer:
        await peer.ask("reset")
        peer.say("step", {"amount": -1})
        await asyncio.sleep(0.01)
        peer.vanish(1006)
        await clock.advance(20)
        assert Awaiting.cancelled == []
        await clock.advance(20)
        await until(lambda: Awaiting.cancelled == [-1])
    await clock.advance(100)
    await until(lambda: active(app) == 0)
    assert not Awaiting.alive


@pytest.mark.parametrize("code", [1000, 1006])
@on_loop
async def test_a_thread_step_outlasts_its_client_and_then_all_is_closed(
    code: int, gate: None
) -> None:
    clock = ManualClock()
    app = served(Threaded, clock=clock, resume_grace_s=30)
    async with Peer(app) as peer, Peer(app) as other:
        await peer.ask("reset")
        await other.ask("reset")
        peer.say("step", {"amount": -1})
        await until(Threaded.entered.is_set)
        peer.vanish(code)
        await clock.advance(100)
        assert active(app) == 2
        assert (await other.ask("step", {"amount": 1}))["observation"]["total"] == 1
        Threaded.gate.set()
        await clock.advance(100)
        await peer.task
        await until(lambda: active(app) <= 2)
        await clock.advance(100)
        await until(lambda: active(app) == 1)
    assert active(app) == 0
    assert not Threaded.alive


@ALL
@on_loop
async def test_a_broken_connection_is_resumed_where_it_was(kind: Any) -> None:
    app = served(kind)
    async with Peer(app) as peer:
        await peer.ask("reset")
        await peer.ask("step", {"amount": 1})
        await peer.leave(1006)
    async with Peer(app, query=f"session_id={peer.session_id}") as again:
        assert (await again.ask("step", {"amount": 1}))["observation"]["total"] == 2
    await until(lambda: active(app) == 0)


@on_loop
async def test_a_session_lost_mid_step_can_be_resumed_while_the_step_still_runs(
    gate: None,
) -> None:
    app = served(Threaded)
    async with Peer(app) as peer:
        await peer.ask("reset")
        peer.say("step", {"amount": -1})
        await until(Threaded.entered.is_set)
        peer.vanish(1006)
        await asyncio.sleep(0.01)
        async with Peer(app, query=f"session_id={peer.session_id}") as again:
            again.say("state")
            await asyncio.sleep(0.01)
            Threaded.gate.set()
            reply = await again.hear()
            assert reply["type"] == "state", reply
            assert (await again.ask("step", {"amount": 2}))["observation"]["total"] == 1
        await peer.task
    await app.state.server.aclose()


@ALL
@on_loop
async def test_a_clean_leave_cannot_be_resumed(kind: Any) -> None:
    app = served(kind)
    async with Peer(app) as peer:
        await peer.ask("reset")
    async with Peer(app, query=f"session_id={peer.session_id}") as again:
        refusal = await again.hear()
        assert refusal["data"]["code"] == "SESSION_ERROR"
        assert refusal["data"]["message"] == f"Unknown session_id: {peer.session_id}"
        assert await again.closed() == 1000


@on_loop
async def test_leaving_in_the_middle_of_what_was_sent_ahead_leaves_nothing() -> None:
    for kind in (Inline, Threaded, Awaiting):
        app = served(kind)
        async with Peer(app) as peer:
            peer.say("reset")
            for _ in range(60):
                peer.say("step", {"amount": 0})
            await peer.hear()
            await peer.leave(1000)
        await until(functools.partial(_is_empty, app))
        assert not kind.alive


@on_loop
async def test_a_send_that_fails_before_the_end_is_known() -> None:
    for kind in (Inline, Threaded, Awaiting):
        for code in (1000, 1006):
            app = served(kind, resume_grace_s=0)
            async with Peer(app) as peer:
                await peer.ask("reset")
                peer.broken = True
                peer.say("step", {"amount": 0})
                await asyncio.sleep(0.02)
                await peer.leave(code)
            await app.state.server.aclose()


@on_loop
async def test_a_session_asked_to_close_by_a_stranger_closes_when_its_socket_leaves() -> None:
    for kind in (Inline, Threaded):
        app = served(kind)
        async with Peer(app) as peer, Peer(app, "/mcp") as other:
            await peer.ask("reset")
            reply = await other.call("openenv/session/close", session_id=peer.session_id)
            assert reply["result"]["closing"] is True
            assert "observation" in await peer.ask("reset")
            await peer.leave(1000)
            assert active(app) == 1
        assert not kind.alive


@on_loop
async def test_an_idle_limit_does_not_end_a_session_that_a_socket_holds() -> None:
    clock = ManualClock()
    app = served(Inline, clock=clock, idle_timeout_s=10)
    async with Peer(app) as peer:
        await peer.ask("reset")
        await clock.advance(10_000)
        assert (await peer.ask("step", {"amount": 1}))["observation"]["total"] == 1
