"""Snapshots behind handles: whose they are, how many, how long, and what leaves the server."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from openenv_lite.errors import (
    ConfigurationError,
    SealBrokenError,
    SnapshotLimitError,
    SnapshotMismatchError,
    UnknownSnapshotError,
)
from openenv_lite.protocol import Phase
from openenv_lite.snapshots import Binding, Moment, Snapshots, SnapshotSettings
from openenv_lite.workers import Worker, become
from openenv_lite.workers import place as workers_place
from tests.manual_clock import ManualClock

KEY = "a key that servers share"
GAME = Binding("Game", "1", str)
SAVED = GAME.encode(Moment(Phase.RUNNING, "e", 1, {}, None), "a board")


def store(clock: ManualClock | None = None, **settings: object) -> Snapshots:
    return Snapshots(SnapshotSettings(**settings), clock or ManualClock())  # type: ignore[arg-type]


def test_a_handle_stands_for_what_was_kept_and_tells_nothing_of_it() -> None:
    kept = store()
    first, second = kept.keep([b"one", b"two"], None)
    assert (kept.saved(first, None), kept.saved(second, "ann")) == (b"one", b"two")
    assert len(kept) == 2
    handles = {kept.keep([b"one"], None)[0] for _ in range(100)}
    assert len(handles) == 100
    assert all(len(each) >= 32 and "one" not in each for each in handles)


@pytest.mark.parametrize("principal", [None, "bob", ""])
def test_a_handle_of_another_principals_is_unknown(principal: str | None) -> None:
    kept = store()
    [handle] = kept.keep([b"hers"], "ann")
    with pytest.raises(UnknownSnapshotError):
        kept.saved(handle, principal)
    with pytest.raises(UnknownSnapshotError):
        kept.export([handle], principal)
    assert kept.discard([handle], principal) == []
    assert kept.saved(handle, "ann") == b"hers"
    assert kept.discard([handle, "another", handle], "ann") == [handle]
    with pytest.raises(UnknownSnapshotError, match="discarded"):
        kept.saved(handle, "ann")


def test_a_snapshot_not_used_for_its_life_is_dropped() -> None:
    clock = ManualClock()
    kept = store(clock, snapshot_life_s=10)
    used, unused = kept.keep([b"used", b"unused"], None)

    async def wait(seconds: float) -> None:
        await clock.advance(seconds)

    asyncio.run(wait(6))
    assert kept.saved(used, None) == b"used"
    asyncio.run(wait(4))
    with pytest.raises(UnknownSnapshotError, match="10 s"):
        kept.saved(unused, None)
    assert kept.saved(used, None) == b"used"
    asyncio.run(wait(10))
    kept.drop_expired()
    assert len(kept) == 0


def test_there_is_room_for_so_many_and_so_many_bytes() -> None:
    kept = store(max_snapshots=3, max_snapshot_bytes=10)
    [first, _] = kept.keep([b"1234", b"12"], None)
    for more in ([b"", b""], [b"12345"], [b"1"] * 9):
        with pytest.raises(SnapshotLimitError, match="discard") as told:
            kept.keep(more, None)
        assert told.value.details == {"max_snapshots": 3, "max_snapshot_bytes": 10}
        assert len(kept) == 2
    kept.discard([first], None)
    assert len(kept.keep([b"1234", b"1234"], None)) == 2


def test_what_is_exported_is_imported_by_whoever_has_the_key() -> None:
    here, there = store(snapshot_key=KEY), store(snapshot_key=KEY)
    [handle] = here.keep([SAVED], "ann")
    [sealed] = here.export([handle], "ann")
    [new] = there.take_in([sealed], GAME, "bob")
    assert there.saved(new, "bob") == SAVED
    assert new != handle
    for stranger in (store(), store(snapshot_key=f"{KEY}.")):
        with pytest.raises(SealBrokenError, match="snapshot_key"):
            stranger.take_in([sealed], GAME, None)
        assert len(stranger) == 0
    [own] = (alone := store()).take_in(alone.export(alone.keep([SAVED], None), None), GAME, None)
    assert alone.saved(own, None) == SAVED


@given(place=st.integers(0), bit=st.integers(0, 7))
def test_not_a_bit_of_an_export_can_be_altered(place: int, bit: int) -> None:
    kept = store(snapshot_key=KEY)
    altered = bytearray(SEALED)
    altered[place % len(altered)] ^= 1 << bit
    with pytest.raises(SealBrokenError):
        kept.take_in([bytes(altered)], GAME, None)
    assert len(kept) == 0


def test_nor_can_it_be_cut_or_made_up() -> None:
    kept = store(snapshot_key=KEY)
    cut = [SEALED[:length] for length in range(len(SEALED))]
    for each in (*cut, SEALED + b"\x00", SAVED, b"\x00" * 32 + SAVED):
        with pytest.raises(SealBrokenError):
            kept.take_in([each], GAME, None)


def test_an_import_is_all_or_nothing() -> None:
    kept = store(snapshot_key=KEY, max_snapshots=2)
    other = Binding("Other", "1", str)
    [foreign] = kept.export(kept.keep([other.encode(MOMENT, "")], None), None)
    with pytest.raises(SealBrokenError):
        kept.take_in([SEALED, SEALED[:-1]], GAME, None)
    with pytest.raises(SnapshotMismatchError, match="Other"):
        kept.take_in([SEALED, foreign], GAME, None)
    with pytest.raises(SnapshotLimitError):
        kept.take_in([SEALED, SEALED], GAME, None)
    assert len(kept) == 1


MOMENT = Moment(Phase.FRESH, None, 0, {}, None)
SEALED = (keeper := store(snapshot_key=KEY)).export(keeper.keep([SAVED], None), None)[0]


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="16"):
        store(snapshot_key="too short")


@pytest.fixture
def second_of_two() -> Iterator[None]:
    """This process is worker 1 of two."""
    become(Worker(1, 0, 2, "nowhere"))
    yield
    workers_place._here.clear()


@pytest.mark.usefixtures("second_of_two")
def test_a_handle_says_in_which_worker_it_is_kept() -> None:
    kept = store()
    [mine] = kept.keep([b"mine"], None)
    assert mine.startswith("1.0.")
    assert kept.saved(mine, None) == b"mine"
    with pytest.raises(UnknownSnapshotError, match="export it there and import it here"):
        kept.saved(f"0.0.{mine[4:]}", None)
    with pytest.raises(UnknownSnapshotError, match="take another"):
        kept.saved(f"{mine}x", None)


class Store(RuleBasedStateMachine):
    """A store against a model of what is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.store = store(self.clock, max_snapshots=4, max_snapshot_bytes=40, snapshot_life_s=10)
        self.kept: dict[str, tuple[bytes, str | None, float]] = {}
        self.gone: list[str] = []

    @rule(sizes=st.lists(st.integers(0, 15), max_size=3), owner=st.sampled_from([None, "a", "b"]))
    def keep(self, sizes: list[int], owner: str | None) -> None:
        saved = [b"x" * size for size in sizes]
        room = len(self.kept) + len(sizes) <= 4 and self.size + sum(sizes) <= 40
        try:
            handles = self.store.keep(saved, owner)
        except SnapshotLimitError:
            assert not room
            return
        assert room
        for handle, each in zip(handles, saved, strict=True):
            self.kept[handle] = (each, owner, self.clock.now())

    @property
    def size(self) -> int:
        return sum(len(saved) for saved, _, _ in self.kept.values())

    @rule(data=st.data(), principal=st.sampled_from([None, "a", "b"]))
    def use(self, data: st.DataObject, principal: str | None) -> None:
        handle = data.draw(st.sampled_from([*self.kept, *self.gone, "made up"]))
        saved, owner, _ = self.kept.get(handle, (None, None, 0.0))
        if saved is None or owner not in (None, principal):
            with pytest.raises(UnknownSnapshotError):
                self.store.saved(handle, principal)
            return
        assert self.store.saved(handle, principal) == saved
        self.kept[handle] = (saved, owner, self.clock.now())

    @rule(data=st.data(), principal=st.sampled_from([None, "a", "b"]))
    def discard(self, data: st.DataObject, principal: str | None) -> None:
        handles = data.draw(st.lists(st.sampled_from([*self.kept, *self.gone, "made up"])))
        theirs = {
            each
            for each in handles
            if each in self.kept and self.kept[each][1] in (None, principal)
        }
        assert {*self.store.discard(handles, principal)} == theirs
        self.forget(theirs)

    @rule(seconds=st.integers(1, 12))
    def wait(self, seconds: int) -> None:
        asyncio.run(self.clock.advance(seconds))
        now = self.clock.now()
        self.forget({each for each, (_, _, used) in self.kept.items() if now - used >= 10})
        self.store.drop_expired()

    def forget(self, handles: set[str]) -> None:
        self.gone += handles
        for each in handles:
            del self.kept[each]

    @invariant()
    def as_many_are_kept(self) -> None:
        assert len(self.store) == len(self.kept)


TestStore = Store.TestCase
