"""What becomes of lanes whose client leaves, vanishes, or comes back."""

import asyncio
from typing import Any

import pytest

from openenv_lite.batches import JSON, MSGPACK, Close, Mcp, Open, ReadState, Reset, Step
from tests.environments import Awaiting, Inline, Threaded
from tests.leaks import on_loop, until
from tests.manual_clock import ManualClock
from tests.peer import Peer
from tests.server.test_lanes import ALL, FORMS, code, opened, totals
from tests.server.test_ws import active, served
from tests.vector.speaking import Speaker, adding

CLEAN = [1000, 1001, 1012]
TORN = [1005, 1006, 1011, 4000]


async def emptied(app: Any, clock: ManualClock) -> None:
    """Turn the clock until all sessions are gone: a step on a thread ends when it likes."""
    async with asyncio.timeout(10):
        while active(app):
            await clock.advance(100)
            await asyncio.sleep(0.002)


@pytest.mark.parametrize("code_", CLEAN)
@ALL
@on_loop
async def test_a_clean_leave_closes_all_lanes(kind: Any, code_: int) -> None:
    app = served(kind)
    async with Speaker(app, MSGPACK) as peer:
        await opened(peer)
        await peer.leave(code_)
    assert active(app) == 0
    assert not kind.alive


@pytest.mark.parametrize("code_", TORN)
@ALL
@on_loop
async def test_lanes_of_a_broken_connection_wait_for_the_grace_time(kind: Any, code_: int) -> None:
    clock = ManualClock()
    app = served(kind, clock=clock, resume_grace_s=30)
    async with Speaker(app, MSGPACK) as peer:
        await opened(peer)
        await peer.leave(code_)
    await clock.advance(20)
    assert active(app) == 3
    await clock.advance(20)
    await until(lambda: active(app) == 0)
    assert not kind.alive


@FORMS
@ALL
@on_loop
async def test_lanes_are_taken_up_again_with_their_episodes(kind: Any, form: Any) -> None:
    app = served(kind, clock=ManualClock())
    async with Speaker(app, MSGPACK) as peer:
        sessions = await opened(peer)
        await peer.want(adding(0, 1, 2))
        await peer.leave(1006)
    async with Speaker(app, form) as again:
        order = [sessions[2], sessions[0]]
        reply = await again.want(Open(id=1, sessions=order))
        assert (reply.lanes, reply.sessions) == ([0, 1], order)
        assert totals(await again.want(adding(0, 0))) == [2, 0]
        late = await again.want(Open(id=2, sessions=sessions[1:2]))
        assert late.lanes == [2]
        assert totals(await again.want(adding(1, lanes=[2]))) == [2]
        assert active(app) == 3
    await until(lambda: active(app) == 0)


@ALL
@on_loop
async def test_taking_up_is_all_or_nothing(kind: Any) -> None:
    clock = ManualClock()
    app = served(kind, clock=clock, resume_grace_s=30)
    async with Speaker(app, JSON) as peer:
        sessions = await opened(peer, 2)
        await peer.leave(1006)
    async with Speaker(app, JSON) as again:
        assert code(await again.want(Open(id=1, sessions=[*sessions, "nobody's"]))) == (
            "SESSION_ERROR"
        )
        twice = [sessions[0], sessions[0]]
        assert code(await again.want(Open(id=2, sessions=twice))) == "VALIDATION_ERROR"
        assert (await again.want(Reset(id=3))).lanes == []
        await clock.advance(20)
        assert (await again.want(Open(id=4, sessions=sessions))).lanes == [0, 1]
        assert code(await again.want(Open(id=5, sessions=sessions[:1]))) == "VALIDATION_ERROR"
        await clock.advance(200)
        assert totals(await again.want(adding(1, 1))) == [1, 1]
    await until(lambda: active(app) == 0)


@on_loop
async def test_a_client_is_back_before_its_old_connection_is_known_to_be_dead() -> None:
    app = served(Inline)
    async with Speaker(app, JSON) as peer:
        sessions = await opened(peer, 2)
        async with Speaker(app, MSGPACK) as again:
            assert (await again.want(Open(id=1, sessions=sessions))).sessions == sessions
            await peer.leave(1006)
            assert totals(await again.want(adding(1, 2))) == [1, 2]
    await until(lambda: active(app) == 0)


@on_loop
async def test_a_scalar_client_takes_up_a_lane_and_a_lane_takes_up_a_scalar_session() -> None:
    app = served(Threaded)
    async with Speaker(app, JSON) as peer:
        sessions = await opened(peer, 1)
        await peer.want(adding(1))
        await peer.leave(1006)
    async with Peer(app, query=f"session_id={sessions[0]}") as scalar:
        assert (await scalar.ask("step", {"amount": 1}))["observation"]["total"] == 2
        await scalar.leave(1006)
    async with Speaker(app, JSON) as again:
        await again.want(Open(id=1, sessions=sessions))
        assert totals(await again.want(adding(1))) == [3]
    await until(lambda: active(app) == 0)


@on_loop
async def test_a_step_under_way_when_the_connection_breaks_is_finished_in_the_grace_time(
    gate: None,
) -> None:
    clock = ManualClock()
    app = served(Threaded, clock=clock, resume_grace_s=30)
    async with Speaker(app, MSGPACK) as peer:
        sessions = await opened(peer, 2)
        peer.post(adding(-1, 1, identity=1), adding(1, 0, identity=2))
        await until(Threaded.entered.is_set)
        peer.vanish(1006)
        await clock.advance(10)
        async with Speaker(app, JSON) as again:
            await again.want(Open(id=1, sessions=sessions))
            again.post(ReadState(id=2))
            Threaded.gate.set()
            await asyncio.wait_for(peer.task, 10)
            counts = [each["step_count"] for each in (await again.reply(2)).states]
            assert counts[0] in (1, 2)
            assert totals(await again.want(adding(0, 0))) == [0, 1]
    await until(lambda: active(app) == 0)


@on_loop
async def test_a_step_that_outlasts_the_grace_time_is_cancelled() -> None:
    clock = ManualClock()
    app = served(Awaiting, clock=clock, resume_grace_s=30)
    async with Speaker(app, MSGPACK) as peer:
        await opened(peer, 2)
        peer.post(adding(-1, 1))
        await asyncio.sleep(0.005)
        peer.vanish(1006)
        await clock.advance(20)
        assert Awaiting.cancelled == []
        await clock.advance(20)
        await until(lambda: Awaiting.cancelled == [-1])
        await peer.task
    await emptied(app, clock)
    assert not Awaiting.alive


@pytest.mark.parametrize("code_", [1000, 1006])
@pytest.mark.parametrize("wait", [None, 1])
@on_loop
async def test_a_clean_leave_cancels_what_is_under_way(code_: int, wait: int | None) -> None:
    clock = ManualClock()
    app = served(Awaiting, clock=clock)
    async with Speaker(app, MSGPACK) as peer:
        await opened(peer, 3)
        peer.post(adding(-1, -1, -1, wait=wait), adding(0, 0, 0, identity=2), ReadState(id=3))
        await asyncio.sleep(0.005)
        peer.vanish(code_)
        await clock.advance(1000 if code_ == 1006 else 0)
        await asyncio.wait_for(peer.task, 10)
    await clock.advance(1000)
    await until(lambda: active(app) == 0)
    assert Awaiting.cancelled == [-1, -1, -1]


@pytest.mark.parametrize("code_", [1000, 1006])
@pytest.mark.parametrize("turns", range(10))
@pytest.mark.parametrize("kind", [Inline, Threaded, Awaiting])
@on_loop
async def test_an_opening_while_the_connection_goes_leaves_nothing(
    kind: Any, turns: int, code_: int
) -> None:
    clock = ManualClock()
    app = served(kind, clock=clock, max_concurrent_envs=20, resume_grace_s=30)
    async with Speaker(app, MSGPACK) as peer:
        peer.post(Open(id=1, count=19))
        for _ in range(turns):
            await asyncio.sleep(0)
        peer.vanish(code_)
        await asyncio.wait_for(peer.task, 10)
    await emptied(app, clock)
    assert not kind.alive


@pytest.mark.parametrize("code_", [1000, 1006])
@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("kind", [Inline, Threaded, Awaiting])
@on_loop
async def test_whatever_is_under_way_while_the_connection_goes_leaves_nothing(
    kind: Any, turns: int, code_: int
) -> None:
    clock = ManualClock()
    app = served(kind, clock=clock, resume_grace_s=30)
    tools = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    async with Speaker(app, MSGPACK) as peer:
        await opened(peer)
        peer.post(
            adding(1, 1, 1, identity=1, wait=2),
            ReadState(id=2),
            Mcp(id=3, lane=0, data=tools),
            adding(1, 1, 1, identity=4),
            Step(id=5, actions=[]),
            Close(id=6, lanes=[1]),
            Reset(id=7, seeds=[1, 2]),
            Close(id=8, lanes=[0]),
        )
        for _ in range(turns):
            await asyncio.sleep(0)
        peer.vanish(code_)
        await clock.advance(100)
        await asyncio.wait_for(peer.task, 10)
    await emptied(app, clock)
    assert not kind.alive


@ALL
@on_loop
async def test_nothing_is_under_way_after_a_step_of_no_lanes(kind: Any) -> None:
    app = served(kind, resume_grace_s=0)
    async with Speaker(app, JSON) as peer:
        peer.post(Step(id=1, actions=[], lanes=[]), ReadState(id=2, lanes=[]), Close(id=3))
        assert (await peer.reply(3)).lanes == []
        await peer.leave(1006)


@pytest.mark.parametrize("code_", [1000, 1006])
@ALL
@on_loop
async def test_a_send_that_fails_before_the_end_is_known(kind: Any, code_: int) -> None:
    clock = ManualClock()
    app = served(kind, clock=clock, resume_grace_s=30)
    async with Speaker(app, JSON) as peer:
        await opened(peer)
        peer.broken = True
        peer.post(adding(1, 1, 1), adding(1, 1, 1, identity=2))
        await asyncio.sleep(0.01)
        await peer.leave(code_)
        waits = code_ != 1000
        assert active(app) == (3 if waits else 0)
    await emptied(app, clock)


@on_loop
async def test_lost_lanes_make_room_for_who_is_there() -> None:
    app = served(Inline, clock=ManualClock(), max_concurrent_envs=3)
    async with Speaker(app, JSON) as peer:
        sessions = await opened(peer)
        await peer.leave(1006)
    async with Speaker(app, JSON) as other:
        assert len((await other.want(Open(id=1, count=2))).lanes) == 2
        gone = await other.want(Open(id=2, sessions=sessions))
        assert code(gone) == "SESSION_ERROR"
        assert active(app) == 3
    await app.state.server.aclose()


@on_loop
async def test_a_server_that_stops_closes_lanes_that_are_held() -> None:
    app = served(Threaded)
    async with Speaker(app, JSON) as peer:
        await opened(peer)
        await app.state.server.aclose()
        assert active(app) == 0
        results = await peer.want(adding(1, 1, 1))
        assert {each["code"] for each in results.errors.values()} == {"SESSION_ERROR"}
        assert code(await peer.want(Open(id=7))) == "SESSION_ERROR"
    assert not Threaded.alive
