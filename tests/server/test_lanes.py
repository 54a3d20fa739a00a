"""Our subprotocol on `/ws`: what each message does, for whom, and what it leaves."""

import asyncio
import functools
import threading
from typing import Any

import pytest

from openenv_lite import ServerMode
from openenv_lite.batches import (
    TABLE,
    Autoreset,
    Close,
    Discard,
    Export,
    Fork,
    Format,
    Import,
    Mcp,
    Open,
    ReadState,
    Receive,
    Reset,
    Restore,
    Snapshot,
    Step,
)
from openenv_lite.server.dialogue import MOST_UNANSWERED
from tests.environments import Add, Awaiting, Count, Inline, Secretive, Threaded, Toolbox
from tests.leaks import on_loop, until
from tests.peer import Peer
from tests.server.test_ws import TOKEN, active, served
from tests.vector.speaking import BOTH, Speaker, adding

ALL = pytest.mark.parametrize("kind", [Inline, Threaded, Awaiting], ids=lambda kind: kind.__name__)
FORMS = pytest.mark.parametrize("form", BOTH, ids=lambda form: form.subprotocol)


def totals(results: Any) -> list[int | None]:
    return [None if seen is None else seen["total"] for seen in results.observations]


def code(refused: Any) -> str:
    return str(refused.data["code"])


async def opened(peer: Speaker, count: int = 3, **more: Any) -> list[str]:
    """Lanes with an episode in each; ids of their sessions."""
    reply = await peer.want(Open(id=900, count=count, **more))
    await peer.want(Reset(id=901))
    sessions: list[str] = reply.sessions
    return sessions


@FORMS
@ALL
@on_loop
async def test_an_exchange_from_open_to_close(kind: Any, form: Format) -> None:
    app = served(kind)
    async with Speaker(app, form) as peer:
        assert peer.subprotocol == form.subprotocol
        opening = await peer.want(Open(id=1, count=3))
        assert opening.lanes == [0, 1, 2]
        assert len({*opening.sessions}) == active(app) == 3
        began = await peer.want(Reset(id=2, seeds=[1, None, 3]))
        assert (totals(began), began.done) == ([0, 0, 0], [False] * 3)
        results = await peer.want(adding(1, 3, 2, identity=3))
        assert (totals(results), results.done) == ([1, 3, 2], [False, True, False])
        state = await peer.want(ReadState(id=4, lanes=[2, 0]))
        assert [each["step_count"] for each in state.states] == [1, 1]
        tools = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        assert (await peer.want(Mcp(id=5, lane=0, data=tools))).data["error"]["code"] == -32603
        assert (await peer.want(Close(id=6, lanes=[1]))).lanes == [1]
        assert active(app) == len(kind.alive) == 2
        assert (await peer.want(Close(id=7))).lanes == [0, 2]
        assert active(app) == 0
    assert not kind.alive


@pytest.mark.parametrize(
    "offered", [[], ["chat"], ["openenv-lite"], ["OPENENV-LITE.JSON"], ["chat", "v2.openenv"]]
)
@on_loop
async def test_who_does_not_ask_for_ours_is_served_as_ever(offered: list[str]) -> None:
    accepted = []

    class Plain(Peer):
        async def _take(self, message: Any) -> None:
            accepted.append(message)
            await super()._take(message)

    peer = Plain(served(Inline))
    peer.scope["subprotocols"] = offered
    async with peer:
        assert peer.session_id
        assert accepted[0].get("subprotocol") is None
        assert (await peer.ask("reset"))["observation"]["total"] == 0
        assert (await peer.ask("step", {"amount": 1}))["reward"] == 1


@FORMS
@on_loop
async def test_each_lane_has_its_own_error(form: Format) -> None:
    class Mixed(Inline):
        def step(self, action: Add, bonus: int = 0) -> Any:
            if action.amount == 1:
                raise ValueError("the author's own")
            if action.amount == 2:
                return Count(total=0, metadata={"held": threading.Lock()})
            if action.amount == 3:
                return Count(total=0, reward=object())  # type: ignore[arg-type]
            return super().step(action)

    async with Speaker(served(Mixed, max_concurrent_envs=9), form) as peer:
        await peer.want(Open(id=1, count=9))
        await peer.want(Reset(id=2, lanes=[0, 1, 2, 3, 4, 5, 6]))
        amounts = [0, 1, 2, 3, "x", 9, 0, 0, 0]
        actions: list[Any] = [{"amount": each} for each in amounts]
        actions[6] = {"amount": 0, "nobody's": 1}
        request = Step(id=3, actions=actions, lanes=[*range(8), 44])
        results = await peer.want(request)
        assert results.lanes == [*range(8), 44]
        codes = {lane: error["code"] for lane, error in results.errors.items()}
        assert codes == {
            1: "EXECUTION_ERROR",
            2: "EXECUTION_ERROR",
            3: "EXECUTION_ERROR",
            4: "VALIDATION_ERROR",
            6: "VALIDATION_ERROR",
            7: "RESET_REQUIRED",
            44: "UNKNOWN_LANE",
        }
        assert totals(results) == [0, None, None, None, None, 9, None, None, None]
        assert results.rewards == [0, None, None, None, None, 9, None, None, None]
        over = await peer.want(adding(0, 0, lanes=[5, 0], identity=4))
        assert over.errors[5]["code"] == "EPISODE_DONE"
        assert totals(over) == [None, 0]
        assert results.errors[4]["errors"][0]["loc"] == ["amount"]


@FORMS
@pytest.mark.parametrize("kind", [Threaded, Awaiting])
@on_loop
async def test_what_cannot_be_sent_is_its_lanes_own_fault_awaited_too(
    kind: Any, form: Format
) -> None:
    class Locking(kind):  # type: ignore[misc]
        def reset(self, seed: int | None = None, start: int = 0) -> Any:
            self.resets = getattr(self, "resets", 0) + 1
            return Count(metadata={"held": threading.Lock()} if start else {})

    async with Speaker(served(Locking), form) as peer:
        await peer.want(Open(id=1, count=2))
        await peer.want(Reset(id=2, lanes=[0]))
        results = await peer.want(Reset(id=3, lanes=[0, 1], options={"start": 1}))
        assert results.errors.keys() == {0, 1}
        assert (await peer.want(Reset(id=4))).errors == {}


@FORMS
@on_loop
async def test_production_tells_nobody_what_an_author_raised(form: Format) -> None:
    app = served(Secretive, mode=ServerMode.PRODUCTION, control_token=TOKEN)
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with Speaker(app, form, headers) as peer:
        await peer.want(Open(id=1, count=2))
        told = [await peer.want(Reset(id=2)), await peer.want(ReadState(id=3))]
        for each in told:
            assert each.errors.keys() == {0, 1}
            assert "secret" not in str(each)


CONTROLS = {name for name, row in TABLE.items() if not row.in_production}
REQUESTS: dict[str, Any] = {
    "reset": Reset(id=7),
    "step": Step(id=7, actions=[{"amount": 1}]),
    "receive": Receive(id=7, wait=1),
    "state": ReadState(id=7),
    "mcp": Mcp(id=7, lane=0, data={}),
    "open": Open(id=7, count=1),
    "close": Close(id=7, lanes=[]),
    "snapshot": Snapshot(id=7),
    "restore": Restore(id=7, snapshots=["unknown"]),
    "fork": Fork(id=7, snapshots=[]),
    "export": Export(id=7, snapshots=[]),
    "import": Import(id=7, data=[]),
    "discard": Discard(id=7, snapshots=[]),
}
SAVING = {"snapshot", "restore", "fork", "export", "import", "discard"}


@FORMS
@pytest.mark.parametrize("name", sorted(REQUESTS))
@on_loop
async def test_production_knows_no_control_without_the_token(name: str, form: Format) -> None:
    app = served(Inline, mode=ServerMode.PRODUCTION, control_token=TOKEN)
    bearer = {"authorization": f"Bearer {TOKEN}"}
    async with Speaker(app, form) as stranger, Speaker(app, form, bearer) as trainer:
        for peer in (stranger, trainer):
            await peer.want(Open(id=1))
        reply = await stranger.want(REQUESTS[name])
        unknown = getattr(reply, "data", {}).get("code") == "UNKNOWN_TYPE"
        assert unknown is (name in CONTROLS)
        reply = await trainer.want(REQUESTS[name])
        assert getattr(reply, "data", {}).get("code") != "UNKNOWN_TYPE"
    assert {"reset", "step", "receive", "state"} | SAVING == CONTROLS


@ALL
@on_loop
async def test_capacity_is_counted_by_lanes_and_an_opening_has_all_or_none(kind: Any) -> None:
    app = served(kind, max_concurrent_envs=5)
    async with Speaker(app, BOTH[1]) as peer, Speaker(app, BOTH[0]) as other:
        await opened(peer, 3)
        refused = await other.want(Open(id=1, count=3))
        assert code(refused) == "CAPACITY_REACHED"
        assert code(await other.want(Open(id=2, count=1000))) == "CAPACITY_REACHED"
        assert active(app) == len(kind.alive) == 3
        assert (await other.want(Open(id=3, count=2))).lanes == [0, 1]
        scalar = Peer(app)
        async with scalar:
            assert (await scalar.hear())["data"]["code"] == "CAPACITY_REACHED"
        assert totals(await peer.want(adding(1, 1, 1))) == [1, 1, 1]
    await until(lambda: active(app) == 0)


@FORMS
@on_loop
async def test_an_id_that_is_under_way_is_refused_and_free_again_after_its_reply(
    form: Format, gate: None
) -> None:
    async with Speaker(served(Threaded), form) as peer:
        await opened(peer, 1)
        peer.post(adding(-1, identity=5), adding(1, identity=5))
        refused = await peer.reply(5)
        assert code(refused) == "VALIDATION_ERROR"
        Threaded.gate.set()
        assert totals(await peer.reply(5)) == [-1]
        for total in (0, 1, 2):
            assert totals(await peer.want(adding(1, identity=5))) == [total]


@FORMS
@on_loop
async def test_a_client_that_never_waits_is_told_so(form: Format, gate: None) -> None:
    async with Speaker(served(Threaded), form) as peer:
        await opened(peer, 1)
        peer.post(*(adding(-1, identity=n) for n in range(MOST_UNANSWERED)))
        assert code(await peer.want(adding(1, identity=5000))) == "TOO_MANY_REQUESTS"
        Threaded.gate.set()
        for number in range(MOST_UNANSWERED):
            assert (await peer.reply(number)).errors == {}
        assert totals(await peer.want(adding(1, identity=5000))) == [1 - MOST_UNANSWERED]


@FORMS
@ALL
@on_loop
async def test_the_order_of_a_lane_is_that_of_the_frames(kind: Any, form: Format) -> None:
    async with Speaker(served(kind), form) as peer:
        await opened(peer, 3)
        requests = [
            adding(1, 0, 0, identity=1),
            ReadState(id=2),
            adding(1, 1, 0, identity=3),
            ReadState(id=4),
            Reset(id=5, lanes=[0]),
            ReadState(id=6),
            adding(2, lanes=[0], identity=7),
            Close(id=8, lanes=[0]),
            adding(1, 1, lanes=[0, 1], identity=9),
        ]
        peer.post(*requests)
        told = [await peer.reply(each.id) for each in requests]
        assert totals(told[0]) == [1, 0, 0]
        assert [each["step_count"] for each in told[1].states] == [1, 1, 1]
        assert totals(told[2]) == [2, 1, 0]
        assert [each["step_count"] for each in told[3].states] == [2, 2, 2]
        assert [each["step_count"] for each in told[5].states] == [0, 2, 2]
        assert totals(told[6]) == [2]
        assert totals(told[8]) == [None, 2]
        assert told[8].errors[0]["code"] == "UNKNOWN_LANE"


@FORMS
@on_loop
async def test_a_quick_lane_waits_for_no_other_request(form: Format, gate: None) -> None:
    async with Speaker(served(Threaded), form) as peer:
        await opened(peer, 2)
        peer.post(adding(-1, lanes=[0], identity=1), adding(1, lanes=[1], identity=2))
        assert totals(await peer.reply(2)) == [1]
        assert peer.order == []
        Threaded.gate.set()
        assert totals(await peer.reply(1)) == [-1]


@FORMS
@pytest.mark.parametrize("mode", [Autoreset.NEXT_STEP, Autoreset.SAME_STEP])
@ALL
@on_loop
async def test_autoreset_on_the_wire(kind: Any, mode: Autoreset, form: Format) -> None:
    async with Speaker(served(kind), form) as peer:
        await opened(peer, 2, autoreset=mode)
        ended = await peer.want(adding(3, 1, identity=1))
        assert ended.done == [True, False]
        after = await peer.want(adding(1, 1, identity=2))
        assert after.errors == {}
        if mode is Autoreset.NEXT_STEP:
            assert (totals(ended), ended.final) == ([3, 1], {})
            assert totals(after) == [0, 2]
            assert after.rewards[0] == 0.0
        else:
            assert totals(ended) == [0, 1]
            assert ended.final[0].observation["total"] == 3
            assert totals(after) == [1, 2]


@FORMS
@on_loop
async def test_a_batch_that_holds_the_loop_is_played_in_stretches_and_in_order(
    form: Format,
) -> None:
    class Working(Inline):
        def step(self, action: Add, bonus: int = 0) -> Any:
            end = asyncio.get_running_loop().time() + 0.001
            while asyncio.get_running_loop().time() < end:
                pass
            return super().step(action)

    async with Speaker(served(Working, max_concurrent_envs=64), form) as peer:
        await opened(peer, 64)
        turns = 0
        peer.post(adding(*[1] * 64, identity=1), ReadState(id=2), adding(*[1] * 64, identity=3))
        while peer.order != [1, 2, 3]:
            await asyncio.sleep(0)
            turns += 1
        assert turns > 10  # where nobody gives way it is one for each request
        assert totals(await peer.reply(1)) == [1] * 64
        assert {each["step_count"] for each in (await peer.reply(2)).states} == {1}
        assert totals(await peer.reply(3)) == [2] * 64


@FORMS
@on_loop
async def test_a_frame_of_the_other_kind_or_too_long_is_refused(form: Format) -> None:
    async with Speaker(served(Inline, max_message_bytes=1000), form) as peer:
        peer.send(b"\x80" if form.is_text else "{}")
        assert code(await peer.reply(None)) == "INVALID_JSON"
        peer.post(Reset(id=1, options={"x": "y" * 2000}))
        assert code(await peer.reply(None)) == "MESSAGE_TOO_LARGE"
        assert (await peer.want(Open(id=2))).lanes == [0]


@FORMS
@on_loop
async def test_tools_of_a_lane_are_called_in_it(form: Format) -> None:
    class Named(Toolbox):
        def __init__(self) -> None:
            super().__init__()
            self.count = 0

            @self.tool
            def again() -> int:
                """Count."""
                self.count += 1
                return self.count

    app = served(Named, mode=ServerMode.PRODUCTION)
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "again"}}
    async with Speaker(app, form) as peer:
        await peer.want(Open(id=1, count=2))
        ask = functools.partial(Mcp, data=call)
        told = [await peer.want(ask(id=n, lane=lane)) for n, lane in enumerate([0, 0, 1, 0], 2)]
        assert [each.data["result"]["data"] for each in told] == [1, 2, 1, 3]
        assert code(await peer.want(ask(id=9, lane=2))) == "UNKNOWN_LANE"


def test_every_message_is_tried_in_production() -> None:
    assert {*REQUESTS, "cancel"} == {*TABLE}
