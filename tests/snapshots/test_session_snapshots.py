"""A session saved and put back: the future is the same, and nothing is shared."""

import asyncio
import random
import struct
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openenv_lite import Environment, Observation, ServerMode, State
from openenv_lite.blueprint import Blueprint
from openenv_lite.errors import (
    EpisodeDoneError,
    ExecutionError,
    OpenEnvError,
    ResetRequiredError,
    SessionClosedError,
    SnapshotMismatchError,
    SnapshotsUnsupportedError,
)
from openenv_lite.protocol import Phase
from openenv_lite.session import Session
from tests.environments import Add, Inline
from tests.leaks import on_loop
from tests.snapshots.worlds import KINDS, Kit, Moving, Unsaved, Walk, World

ALL = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)

AMOUNTS = st.lists(st.integers(0, 3), max_size=6)


async def session_of(kind: Any) -> Session:
    session = Session("a session", Blueprint(kind), ServerMode.SIMULATION)
    await session.open()
    return session


async def played(session: Session, amounts: list[int]) -> list[Any]:
    """All that a trainer sees of these steps, up to the end of the episode."""
    seen: list[Any] = []
    for amount in amounts:
        try:
            result = await session.step(Add(amount=amount))
            seen.append((msgspec.to_builtins(result), await session.state()))
        except OpenEnvError as error:
            seen.append((type(error), error.message))
    return seen


@ALL
@settings(max_examples=25, deadline=None)
@given(before=AMOUNTS, after=AMOUNTS, seed=st.none() | st.integers(0, 99))
def test_the_future_is_the_same_here_and_elsewhere(
    kind: Any, before: list[int], after: list[int], seed: int | None
) -> None:
    @on_loop
    async def run() -> None:
        here, there = await session_of(kind), await session_of(kind)
        await here.reset({"seed": seed})
        await played(here, before)
        saved = await here.snapshot()
        future = await played(here, after)
        await there.reset({"seed": 5})
        for session in (here, there):
            await session.restore(saved)
            assert await session.snapshot() == saved
            assert await played(session, after) == future
            await session.close()

    run()


@ALL
@settings(max_examples=25, deadline=None)
@given(before=AMOUNTS, after=AMOUNTS)
def test_a_snapshot_changes_nothing(kind: Any, before: list[int], after: list[int]) -> None:
    @on_loop
    async def run() -> None:
        futures = []
        for is_saved in (True, False):
            session = await session_of(kind)
            await session.reset({"seed": 3, "episode_id": "same"})
            await played(session, before)
            if is_saved:
                assert await session.snapshot() == await session.snapshot()
            futures.append(await played(session, after))
            await session.close()
        assert futures[0] == futures[1]

    run()


@ALL
@on_loop
async def test_two_of_one_snapshot_share_nothing(kind: Any) -> None:
    sessions = [await session_of(kind) for _ in range(3)]
    await sessions[0].reset({"seed": 1})
    saved = await sessions[0].snapshot()
    for session in sessions:
        await session.restore(saved)
    first = await played(sessions[0], [1, 1, 0, 2])
    assert await played(sessions[1], [1, 1, 0, 2]) == first
    assert await sessions[2].snapshot() == saved
    for session in sessions:
        await session.close()


@ALL
@on_loop
async def test_the_phase_is_saved_as_well(kind: Any) -> None:
    session = await session_of(kind)
    fresh = await session.snapshot()
    await session.reset()
    running = await session.snapshot()
    await session.step(Add(amount=9))
    done = await session.snapshot()
    await session.restore(running)
    assert session.phase is Phase.RUNNING
    assert (await session.step(Add(amount=0))).done is False
    await session.restore(done)
    assert (await session.state())["step_count"] == 1
    with pytest.raises(EpisodeDoneError):
        await session.step(Add(amount=1))
    await session.restore(fresh)
    with pytest.raises(ResetRequiredError):
        await session.step(Add(amount=1))
    await session.close()
    with pytest.raises(SessionClosedError):
        await session.snapshot()
    with pytest.raises(SessionClosedError):
        await session.restore(fresh)


@ALL
@on_loop
async def test_what_the_author_sets_on_the_state_is_saved(kind: Any) -> None:
    session = await session_of(kind)
    await session.reset({"seed": 1, "episode_id": "mine"})
    await session.step(Add(amount=1))
    state = await session.state()
    saved = await session.snapshot()
    await session.reset({"seed": 2})
    assert await session.state() != state
    await session.restore(saved)
    assert await session.state() == state
    assert (state["episode_id"], "mood" in state) == ("mine", True)
    await session.close()


@ALL
@on_loop
async def test_a_restore_that_raises_leaves_no_episode(kind: Any) -> None:
    session = await session_of(kind)
    await session.reset({"start": -100})
    saved = await session.snapshot()
    with pytest.raises(ExecutionError, match="not from there"):
        await session.restore(saved)
    with pytest.raises(ResetRequiredError):
        await session.step(Add(amount=1))
    assert (await session.reset()).done is False
    await session.close()


class Named(Walk):
    """The same, by another name."""


class Elsewhere:
    """Holds a class of the same name, with another type."""

    class Walk(Moving, Environment[Add, Observation, State]):
        BLOCKING: ClassVar[bool] = False

        def reset(self) -> Any:
            return self.begin_walk()

        def step(self, action: Add) -> Any:
            return self.walk(action)

        def snapshot(self) -> list[int]:
            return self.world.path

        def restore(self, saved: list[int]) -> None:
            self.world.path = saved


class Newer(Walk):
    """A later version."""

    VERSION = "2"


Newer.__qualname__ = Elsewhere.Walk.__qualname__ = "Walk"


@pytest.mark.parametrize("kind", [Named, Newer, Elsewhere.Walk])
@on_loop
async def test_what_another_class_or_version_or_type_saved_is_refused(kind: Any) -> None:
    other, session = await session_of(kind), await session_of(Walk)
    await other.reset()
    await session.reset({"seed": 1})
    before = await session.snapshot()
    with pytest.raises(SnapshotMismatchError, match="Walk"):
        await session.restore(await other.snapshot())
    assert session.phase is Phase.RUNNING
    assert await session.snapshot() == before
    for each in (session, other):
        await each.close()


@given(junk=st.binary(max_size=60))
def test_bytes_that_are_no_snapshot_are_refused(junk: bytes) -> None:
    with pytest.raises(SnapshotMismatchError):
        BLUEPRINT.saving().binding.decode(junk)


BLUEPRINT = Blueprint(Walk)


@on_loop
async def test_a_snapshot_cut_short_is_refused() -> None:
    session = await session_of(Walk)
    saved = await session.snapshot()
    for length in range(len(saved)):
        with pytest.raises(SnapshotMismatchError):
            await session.restore(saved[:length])
    with pytest.raises(SnapshotMismatchError):
        await session.restore(saved + b"\x00")
    await session.close()


PLACE = struct.pack("<I", 4)
"""Of the numbers that a `Walk` has drawn when it begins, before its next Gaussian one."""


@pytest.mark.parametrize(
    ("genuine", "forged"),
    [
        (b"\xa7running", b"\xa6closed"),
        (PLACE + b"\xcb", struct.pack("<I", 625) + b"\xcb"),
    ],
    ids=["phase", "generator"],
)
@on_loop
async def test_what_no_environment_can_have_been_is_refused_before_anything_is_restored(
    genuine: bytes, forged: bytes
) -> None:
    session = await session_of(Walk)
    await session.reset({"seed": 1})
    saved = await session.snapshot()
    assert saved.count(genuine) == 1
    before = await session.snapshot()
    altered = saved.replace(genuine, forged)
    for refused in (session.restore(altered), in_vain(altered)):
        with pytest.raises(SnapshotMismatchError, match="no snapshot"):
            await refused
    assert await session.snapshot() == before
    await session.close()


async def in_vain(saved: bytes) -> None:
    """What an import does."""
    BLUEPRINT.saving().binding.check(saved)


@on_loop
async def test_of_a_session_that_is_closed_meanwhile_nothing_is_saved() -> None:
    entered, gate = asyncio.Event(), asyncio.Event()

    class Waiting(KINDS[2]):  # type: ignore[misc, valid-type]
        async def snapshot(self) -> World:
            entered.set()
            await gate.wait()
            return self.world  # type: ignore[no-any-return]

    session = await session_of(Waiting)
    await session.reset({"seed": 1})
    taking = asyncio.create_task(session.snapshot())
    await entered.wait()
    closing = asyncio.create_task(session.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    gate.set()
    with pytest.raises(SessionClosedError):
        await taking


@on_loop
async def test_a_class_without_snapshots_says_so() -> None:
    session = await session_of(Unsaved)
    for call in (session.snapshot(), session.restore(b"")):
        with pytest.raises(SnapshotsUnsupportedError, match=r"snapshot\(\) and restore\(\)"):
            await call
    assert not Blueprint(Unsaved).has_snapshots
    await session.close()


@on_loop
async def test_tools_and_what_they_remember() -> None:
    session = await session_of(Kit)
    await session.reset({"seed": 1})
    await session.call_tool("note", {"text": "one"})
    saved = await session.snapshot()
    first = await session.call_tool("note", {"text": "two"})
    await session.restore(saved)
    assert await session.call_tool("note", {"text": "two"}) == first
    assert (await session.state())["step_count"] == 2
    await session.close()


class Faulty(Inline):
    """What it saves cannot be saved, or is not what it says."""

    saved: Any = None

    def snapshot(self) -> World:
        if isinstance(self.saved, Exception):
            raise self.saved
        return self.saved  # type: ignore[no-any-return]

    def restore(self, saved: World) -> None:
        """Never reached."""


@pytest.mark.parametrize("saved", [object(), {1: object()}, ValueError("no"), RuntimeError("no")])
@on_loop
async def test_what_cannot_be_saved_is_the_authors_fault_and_harms_nobody(saved: Any) -> None:
    session = await session_of(Faulty)
    await session.reset()
    session._environment.saved = saved
    with pytest.raises(ExecutionError):
        await session.snapshot()
    assert (await session.step(Add(amount=1))).done is False
    await session.close()


@on_loop
async def test_what_does_not_fit_its_own_type_is_the_authors_fault() -> None:
    session = await session_of(Faulty)
    await session.reset()
    session._environment.saved = {"total": "many"}
    saved = await session.snapshot()
    with pytest.raises(ExecutionError, match="total"):
        await session.restore(saved)
    assert (await session.step(Add(amount=1))).done is False
    await session.close()


class OwnGenerator(Inline):
    """Its generator is of another class, so that its state is the author's to save."""

    def __init__(self) -> None:
        super().__init__()
        self.rng = random.SystemRandom()

    def snapshot(self) -> int:
        return self.total

    def restore(self, saved: int) -> None:
        self.total = saved


@on_loop
async def test_another_kind_of_generator_is_left_alone() -> None:
    session = await session_of(OwnGenerator)
    await session.reset({"start": 1})
    saved = await session.snapshot()
    await session.step(Add(amount=1))
    await session.restore(saved)
    assert (await session.step(Add(amount=1))).observation.total == 2
    await session.close()


@on_loop
async def test_calls_around_a_snapshot_wait_for_their_turn() -> None:
    """On a thread the calls are made one after the other, in the order they came."""
    session = await session_of(KINDS[1])
    await session.reset({"seed": 1})
    first, saved, second = await asyncio.gather(
        session.step(Add(amount=1)), session.snapshot(), session.step(Add(amount=1))
    )
    await session.restore(saved)
    assert await session.step(Add(amount=1)) == second
    assert first != second
    await session.close()
