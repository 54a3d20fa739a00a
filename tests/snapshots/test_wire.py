"""Snapshots over `/ws`: in both encodings, for trainers alone, and from server to server."""

import asyncio
from typing import Any

import pytest

from openenv_lite import ServerMode
from openenv_lite.batches import (
    Close,
    Discard,
    Export,
    Fork,
    Format,
    Import,
    Open,
    ReadState,
    Reset,
    Restore,
    Snapshot,
    Step,
)
from openenv_lite.errors import ConfigurationError
from openenv_lite.server import HTTPEnvServer, create_app
from openenv_lite.server.authorization import Principal
from tests.leaks import on_loop
from tests.manual_clock import ManualClock
from tests.peer import Peer
from tests.server.test_ws import TOKEN, active, served
from tests.snapshots.worlds import KINDS, Unsaved, Walk
from tests.vector.speaking import BOTH, Speaker, adding

ALL = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
FORMS = pytest.mark.parametrize("form", BOTH, ids=lambda form: form.subprotocol)
KEY = "a key that servers share"


def code(refused: Any) -> str:
    return str(refused.data["code"])


async def begun(peer: Speaker, count: int = 1) -> list[str]:
    """Handles of so many lanes in which an episode has begun."""
    await peer.want(Open(id=900, count=count))
    await peer.want(Reset(id=901, seeds=[*range(count)]))
    handles: list[str] = (await peer.want(Snapshot(id=902))).handles
    return handles


def seen(results: Any) -> list[Any]:
    assert results.errors == {}
    return list(zip(results.observations, results.rewards, results.done, strict=True))


@FORMS
@ALL
@on_loop
async def test_an_exchange(kind: Any, form: Format) -> None:
    app = served(kind, max_concurrent_envs=5)
    async with Speaker(app, form) as peer:
        handles = await begun(peer, 2)
        future = seen(await peer.want(adding(1, 1)))
        restored = await peer.want(Restore(id=1, snapshots=handles))
        assert (restored.lanes, restored.errors) == ([0, 1], {})
        assert seen(await peer.want(adding(1, 1, identity=2))) == future
        forked = await peer.want(Fork(id=3, snapshots=handles[::-1]))
        assert (forked.lanes, active(app)) == ([2, 3], 4)
        assert seen(await peer.want(adding(1, 1, lanes=[2, 3], identity=4))) == future[::-1]
        data = (await peer.want(Export(id=5, snapshots=handles))).data
        assert all(isinstance(each, bytes) for each in data)
        imported = (await peer.want(Import(id=6, data=data))).handles
        assert not {*imported} & {*handles}
        await peer.want(Restore(id=7, snapshots=imported, lanes=[0, 1]))
        assert seen(await peer.want(adding(1, 1, lanes=[0, 1], identity=8))) == future
        dropped = (await peer.want(Discard(id=9, snapshots=[*handles, *imported]))).handles
        assert {*dropped} == {*handles, *imported}
        told = await peer.want(Restore(id=10, snapshots=handles, lanes=[0, 9]))
        assert told.errors.keys() == {0, 9}
        assert told.errors[0]["code"] == "UNKNOWN_SNAPSHOT"
        assert code(await peer.want(Fork(id=11, snapshots=handles))) == "UNKNOWN_SNAPSHOT"
    assert active(app) == 0


@FORMS
@ALL
@on_loop
async def test_what_is_sent_in_one_breath_is_done_in_order(kind: Any, form: Format) -> None:
    async with Speaker(served(kind), form) as peer:
        [handle] = await begun(peer)
        peer.post(
            adding(1, identity=1),
            Snapshot(id=2),
            adding(2, identity=3),
            Restore(id=4, snapshots=[handle]),
            adding(1, identity=5),
            ReadState(id=6),
        )
        first, last = await peer.reply(1), await peer.reply(5)
        assert seen(first) == seen(last)
        assert (await peer.reply(4)).errors == {}
        assert (await peer.reply(6)).states[0]["step_count"] == 1
        middle = (await peer.reply(2)).handles
        await peer.want(Restore(id=7, snapshots=middle))
        assert seen(await peer.want(adding(2, identity=8))) == seen(await peer.reply(3))


@FORMS
@on_loop
async def test_a_snapshot_outlives_its_lane_and_its_connection(form: Format) -> None:
    app = served(Walk)
    async with Speaker(app, form) as peer:
        [handle] = await begun(peer)
        future = seen(await peer.want(adding(1)))
        await peer.want(Close(id=1))
    assert active(app) == 0
    async with Speaker(app, form) as peer:
        assert (await peer.want(Fork(id=1, snapshots=[handle]))).lanes == [0]
        assert seen(await peer.want(adding(1))) == future


@on_loop
async def test_it_is_dropped_when_nobody_has_used_it_for_its_life() -> None:
    clock = ManualClock()
    app = served(Walk, clock=clock, snapshot_life_s=60)
    async with Speaker(app, BOTH[0]) as peer:
        handles = await begun(peer)
        for is_kept, wait_s in ((True, 50), (True, 50), (False, 60)):
            await clock.advance(wait_s)
            told = await peer.want(Restore(id=1, snapshots=handles))
            assert (told.errors == {}) is is_kept
        handles = (await peer.want(Snapshot(id=2))).handles
        await clock.advance(900)  # by the pool's own look at what has waited too long
        assert len(app.state.server.pool.snapshots) == 0


@FORMS
@ALL
@on_loop
async def test_from_one_server_to_another_with_the_same_key(kind: Any, form: Format) -> None:
    here, there, elsewhere = (
        served(kind, snapshot_key=key) for key in (KEY, KEY, "another key of a server's")
    )
    async with Speaker(here, form) as peer:
        handles = await begun(peer)
        data = (await peer.want(Export(id=1, snapshots=handles))).data
        future = seen(await peer.want(adding(1)))
    async with Speaker(there, form) as peer:
        assert code(await peer.want(Fork(id=1, snapshots=handles))) == "UNKNOWN_SNAPSHOT"
        moved = (await peer.want(Import(id=2, data=data))).handles
        assert (await peer.want(Fork(id=3, snapshots=moved))).lanes == [0]
        assert seen(await peer.want(adding(1))) == future
    async with Speaker(elsewhere, form) as peer:
        assert code(await peer.want(Import(id=1, data=data))) == "SEAL_BROKEN"


@FORMS
@on_loop
async def test_what_the_server_keeps_is_limited_and_it_says_so(form: Format) -> None:
    app = served(Walk, max_snapshots=2, max_snapshot_bytes=6000)
    async with Speaker(app, form) as peer:
        handles = await begun(peer, 2)
        told = await peer.want(Snapshot(id=1, lanes=[0]))
        error = told.errors[0]
        assert (error["code"], error["max_snapshots"]) == ("SNAPSHOT_LIMIT", 2)
        await peer.want(Discard(id=2, snapshots=handles[:1]))
        assert (await peer.want(Snapshot(id=3, lanes=[0]))).errors == {}


@FORMS
@on_loop
async def test_a_reply_holds_no_more_snapshots_than_fit(form: Format) -> None:
    async with Speaker(served(Walk, max_export_bytes=4000), form) as peer:
        (handle,) = await begun(peer)
        handles = [(await peer.want(Snapshot(id=1))).handles[0], handle]
        refused = await peer.want(Export(id=2, snapshots=handles))
        assert code(refused) == "SNAPSHOT_LIMIT"
        assert "export fewer at a time, or raise max_export_bytes" in refused.data["message"]
        assert len((await peer.want(Export(id=3, snapshots=handles[:1]))).data) == 1


@FORMS
@on_loop
async def test_a_class_without_snapshots_says_so(form: Format) -> None:
    async with Speaker(served(Unsaved), form) as peer:
        await peer.want(Open(id=1))
        assert code(await peer.want(Snapshot(id=2))) == "SNAPSHOTS_UNSUPPORTED"


@FORMS
@on_loop
async def test_in_production_they_are_the_trainers_who_shows_the_token(form: Format) -> None:
    app = served(Walk, mode=ServerMode.PRODUCTION, control_token=TOKEN)
    bearer = {"authorization": f"Bearer {TOKEN}"}
    async with Speaker(app, form, bearer) as trainer, Speaker(app, form) as stranger:
        handles = await begun(trainer)
        await stranger.want(Open(id=1))
        for request in (
            Snapshot(id=2),
            Restore(id=2, snapshots=handles),
            Fork(id=2, snapshots=handles),
            Export(id=2, snapshots=handles),
            Import(id=2, data=[b""]),
            Discard(id=2, snapshots=handles),
        ):
            assert code(await stranger.want(request)) == "UNKNOWN_TYPE"
        assert (await trainer.want(Restore(id=3, snapshots=handles))).errors == {}


@on_loop
async def test_openenvs_own_protocol_does_not_know_them() -> None:
    async with Peer(served(Walk)) as peer:
        for name in ("snapshot", "restore", "fork", "export", "import", "discard"):
            assert (await peer.ask(name, {}))["code"] == "UNKNOWN_TYPE"
        assert (await peer.ask("reset"))["done"] is False


@FORMS
@on_loop
async def test_a_handle_is_its_principals(form: Format) -> None:
    def verify(token: str) -> Principal:
        return Principal(token)

    app = served(Walk, verify_token=verify)
    speakers = [Speaker(app, form, {"authorization": f"Bearer {each}"}) for each in ("ann", "bob")]
    async with speakers[0] as ann, speakers[1] as bob:
        handles = await begun(ann)
        await bob.want(Open(id=1))
        told = await bob.want(Restore(id=2, snapshots=handles))
        assert told.errors[0]["code"] == "UNKNOWN_SNAPSHOT"
        assert code(await bob.want(Export(id=3, snapshots=handles))) == "UNKNOWN_SNAPSHOT"
        assert (await bob.want(Discard(id=4, snapshots=handles))).handles == []
        assert (await ann.want(Restore(id=5, snapshots=handles))).errors == {}


@FORMS
@on_loop
async def test_many_lanes_are_saved_without_holding_up_other_connections(form: Format) -> None:
    class Slow(Walk):
        def snapshot(self) -> Any:
            until = asyncio.get_running_loop().time() + 0.001
            while asyncio.get_running_loop().time() < until:
                pass
            return super().snapshot()

    app = served(Slow, max_concurrent_envs=41)
    async with Speaker(app, form) as peer, Speaker(app, form) as other:
        await peer.want(Open(id=1, count=40))
        await other.want(Open(id=1))
        await other.want(Reset(id=2))
        peer.post(Snapshot(id=2))
        other.post(Step(id=3, actions=[{"amount": 0}]))
        await other.reply(3)
        assert peer.order == []
        assert len({*(await peer.reply(2)).handles}) == 40


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("OPENENV_MAX_SNAPSHOTS", "7", "max_snapshots", 7),
        ("OPENENV_MAX_SNAPSHOT_BYTES", "700", "max_snapshot_bytes", 700),
        ("OPENENV_MAX_EXPORT_BYTES", "70", "max_export_bytes", 70),
        ("OPENENV_SNAPSHOT_LIFE_S", "1.5", "snapshot_life_s", 1.5),
        ("OPENENV_SNAPSHOT_KEY", KEY, "snapshot_key", KEY),
    ],
)
def test_settings_come_from_the_processes_environment(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, name: str, value: Any
) -> None:
    monkeypatch.setenv(variable, text)
    assert getattr(create_app(Walk).state.server.pool.settings, name) == value


@pytest.mark.parametrize(
    "settings",
    [{"max_snapshots": 0}, {"snapshot_life_s": 0}, {"snapshot_key": "short"}],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        HTTPEnvServer(Walk, **settings)
