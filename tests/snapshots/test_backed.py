"""The three backings under an environment: types, what was never set, and a Struct."""

import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openenv_lite import (
    Action,
    DirectoryBacked,
    Environment,
    MCPEnvironment,
    Observation,
    ServerMode,
    SQLiteBacked,
    State,
    StructBacked,
)
from openenv_lite.backed.tree import Folder
from openenv_lite.blueprint import Blueprint
from openenv_lite.errors import ExecutionError, ResetRequiredError
from openenv_lite.session import Session
from tests.leaks import on_loop


class Move(Action):
    """A number for the row."""

    number: int


class Row(Observation):
    """All numbers so far."""

    numbers: list[int] = []


class World(msgspec.Struct):
    numbers: list[int] = []


class Numbers(StructBacked[World], Environment[Move, Row, State]):
    """Keeps numbers in a Struct."""

    BLOCKING = False

    def reset(self) -> Row:
        self.world = World(numbers=[])
        return Row()

    def step(self, action: Move) -> Row:
        self.world.numbers.append(action.number + self.rng.randrange(1000))
        return Row(numbers=self.world.numbers)


class Table(SQLiteBacked, Environment[Move, Row, State]):
    """Keeps numbers in a database."""

    def __init__(self, where: str = ":memory:") -> None:
        self.database = sqlite3.connect(where, isolation_level=None, timeout=0.01)

    def reset(self) -> Row:
        self.database.execute("DROP TABLE IF EXISTS row")
        self.database.execute("CREATE TABLE row (number)")
        return Row()

    def step(self, action: Move) -> Row:
        number = action.number + self.rng.randrange(1000)
        self.database.execute("INSERT INTO row VALUES (?)", (number,))
        rows = self.database.execute("SELECT number FROM row").fetchall()
        return Row(numbers=[number for (number,) in rows])

    def close(self) -> None:
        self.database.close()


class Notes(DirectoryBacked, Environment[Move, Row, State]):
    """Keeps numbers in files."""

    def __init__(self) -> None:
        self.own = tempfile.TemporaryDirectory()
        self.directory = Path(self.own.name)

    def reset(self) -> Row:
        for each in self.directory.iterdir():
            each.unlink()
        return Row()

    def step(self, action: Move) -> Row:
        name = f"{len(list(self.directory.iterdir())):09}"
        (self.directory / name).write_text(f"{action.number + self.rng.randrange(1000)}")
        return Row(numbers=[int(each.read_text()) for each in sorted(self.directory.iterdir())])

    def close(self) -> None:
        self.own.cleanup()


@asynccontextmanager
async def session(kind: Any) -> AsyncIterator[Session]:
    made = Session("s", Blueprint(kind), ServerMode.SIMULATION)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


async def played(one: Session, numbers: list[int]) -> list[list[int]]:
    """What each step of an episode showed."""
    return [[*(await one.step(Move(number=each))).observation.numbers] for each in numbers]


EVERY = pytest.mark.parametrize("kind", [Numbers, Table, Notes])


@EVERY
def test_generics_are_found_behind_a_backing(kind: Any) -> None:
    blueprint = Blueprint(kind)
    assert blueprint.action_type is Move
    assert blueprint.observation_type is Row
    assert blueprint.state_type is State


MOVES = st.lists(st.integers(-9, 9), max_size=4)


@EVERY
@given(before=MOVES, after=MOVES, elsewhere=MOVES)
@settings(max_examples=15)
def test_the_future_is_the_same_after_restoring_here_and_elsewhere(
    kind: Any, before: list[int], after: list[int], elsewhere: list[int]
) -> None:
    @on_loop
    async def play() -> None:
        async with session(kind) as one, session(kind) as other:
            await one.reset({"seed": 3})
            await played(one, before)
            saved = await one.snapshot()
            future = await played(one, after)
            await other.restore(saved)
            await played(other, elsewhere)  # which changes nothing for the one
            await one.restore(saved)
            assert await played(one, after) == future
            await other.restore(saved)
            assert await played(other, after) == future

    play()


@EVERY
@on_loop
async def test_a_snapshot_before_the_first_reset_leads_back_there(kind: Any) -> None:
    async with session(kind) as one:
        saved = await one.snapshot()
        await one.reset()
        await one.restore(saved)
        with pytest.raises(ResetRequiredError):
            await one.step(Move(number=1))
        await one.reset()
        await one.step(Move(number=1))


@pytest.mark.parametrize("backing", [StructBacked, SQLiteBacked, DirectoryBacked])
def test_tools_can_have_a_backing(backing: Any) -> None:
    kind = type("Tools", (backing, MCPEnvironment), {})
    assert Blueprint(kind).has_tools
    assert kind().list_tools() == []


def test_a_world_that_no_reset_has_made_is_restored_as_such() -> None:
    game = Numbers()
    saved = game.snapshot()
    game.reset()
    assert game.snapshot() == World()
    game.restore(saved)
    assert not hasattr(game, "world")
    game.restore(saved)


def test_a_worlds_own_default_is_its_snapshot() -> None:
    class Fixed(Numbers):
        world = World(numbers=[1])

    assert Fixed().snapshot() == World(numbers=[1])


@pytest.mark.parametrize(
    ("backing", "saved", "message"),
    [
        (SQLiteBacked, b"", "open self.database"),
        (DirectoryBacked, Folder(b"", 0o700, 0, []), "set self.directory"),
    ],
)
def test_a_backing_that_was_never_set_says_what_to_do(
    backing: Any, saved: Any, message: str
) -> None:
    environment = type("Forgetful", (backing, Environment), {})()
    with pytest.raises(ExecutionError, match=f"Forgetful has no .*{message} in __init__"):
        environment.snapshot()
    with pytest.raises(ExecutionError, match=message):
        environment.restore(saved)
