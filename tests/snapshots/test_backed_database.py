"""`SQLiteBacked`: any tables come back, in memory and in files, and no process ends."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite import SQLiteBacked
from openenv_lite.errors import ExecutionError

Rows = dict[int, list[tuple[Any, Any]]]

PLACES = ["memory", "file", "write-ahead"]
MANY: Rows = {1: [(number, number) for number in range(1000)]}
CELLS = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
)
TABLES = st.dictionaries(st.integers(0, 9), st.lists(st.tuples(CELLS, CELLS), max_size=9))


class Plain(SQLiteBacked):
    def __init__(self, place: str, path: Path) -> None:
        where = ":memory:" if place == "memory" else str(path)
        self.database = sqlite3.connect(where, isolation_level=None, timeout=0.01)
        if place == "write-ahead":
            self.database.execute("PRAGMA journal_mode = wal")

    def fill(self, tables: Rows) -> None:
        for name in self.rows():
            self.database.execute(f"DROP TABLE t{name}")
        for name, rows in tables.items():
            self.database.execute(f"CREATE TABLE t{name} (a, b)")
            self.database.executemany(f"INSERT INTO t{name} VALUES (?, ?)", rows)

    def rows(self) -> Rows:
        names = self.database.execute("SELECT name FROM sqlite_master").fetchall()
        return {
            int(name[1:]): self.database.execute(f"SELECT * FROM {name}").fetchall()
            for (name,) in names
        }

    def pragma(self, name: str) -> Any:
        return self.database.execute(f"PRAGMA {name}").fetchall()

    def close(self) -> None:
        self.database.close()


@pytest.fixture(params=PLACES)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Plain]:
    """An empty database in each place there is."""
    with closing(Plain(request.param, tmp_path / "one.db")) as backed:
        yield backed


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Plain]:
    with closing(Plain("memory", tmp_path)) as backed:
        yield backed


@given(st.data())
def test_any_tables_come_back_here_and_elsewhere(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder, ExitStack() as stack:
        one, other = (
            stack.enter_context(closing(Plain(data.draw(st.sampled_from(PLACES)), path)))
            for path in (Path(folder) / "one.db", Path(folder) / "other.db")
        )
        before, after, there = (data.draw(TABLES) for _ in range(3))
        one.fill(before)
        saved = one.snapshot()
        assert one.snapshot() == saved
        assert one.rows() == before
        one.fill(after)
        other.fill(there)
        for each in (one, other):
            each.restore(saved)
            assert each.rows() == before
            each.fill(after)  # it can be written as ever
            assert each.rows() == after


def test_a_database_in_a_file_stays_in_its_file(opened: Plain) -> None:
    places, journal = opened.pragma("database_list"), opened.pragma("journal_mode")
    opened.fill({1: [(1, 1)]})
    saved = opened.snapshot()
    opened.fill({2: []})
    opened.restore(saved)
    opened.database.execute("INSERT INTO t1 VALUES (2, 2)")
    assert opened.pragma("database_list") == places
    assert opened.pragma("journal_mode") == journal
    if path := places[0][2]:
        with closing(sqlite3.connect(path)) as reader:
            assert reader.execute("SELECT a FROM t1").fetchall() == [(1,), (2,)]


def test_an_empty_database_is_saved_and_restored(opened: Plain) -> None:
    saved = opened.snapshot()
    opened.fill(MANY)
    opened.restore(saved)
    assert opened.rows() == {}
    opened.fill(MANY)
    assert opened.rows() == MANY


def test_a_cursor_that_is_still_read_refuses_and_harms_nothing(opened: Plain) -> None:
    saved = opened.snapshot()
    opened.fill(MANY)
    cursor = opened.database.execute("SELECT a FROM t1")
    cursor.fetchone()
    assert opened.snapshot()
    with pytest.raises(ExecutionError, match="read every cursor to its end"):
        opened.restore(saved)
    assert len(cursor.fetchall()) == 999
    opened.restore(saved)
    assert opened.rows() == {}


def test_a_file_that_another_connection_uses_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "one.db"
    with closing(Plain("file", path)) as backed, closing(sqlite3.connect(path)) as other:
        backed.fill(MANY)
        saved = backed.snapshot()
        cursor = other.execute("SELECT * FROM t1")
        cursor.fetchone()
        with pytest.raises(ExecutionError, match="another connection uses it"):
            backed.restore(saved)
        cursor.close()
        backed.restore(saved)
        assert backed.rows() == MANY


def test_an_open_transaction_is_refused_and_survives(opened: Plain) -> None:
    opened.fill(MANY)
    opened.database.execute("BEGIN")
    opened.database.execute("DELETE FROM t1")
    with pytest.raises(ExecutionError, match=r"self\.database\.commit\(\)"):
        opened.snapshot()
    assert opened.database.in_transaction
    opened.database.rollback()
    assert opened.rows() == MANY


def test_restoring_ends_an_open_transaction(opened: Plain) -> None:
    opened.fill({1: []})
    saved = opened.snapshot()
    opened.database.execute("BEGIN")
    opened.database.execute("INSERT INTO t1 VALUES (1, 1)")
    opened.restore(saved)
    assert not opened.database.in_transaction
    assert opened.rows() == {1: []}


def test_what_the_connection_knows_stays(opened: Plain) -> None:
    opened.fill({1: []})
    opened.database.row_factory = lambda cursor, row: {"row": row}
    opened.database.create_function("twice", 1, lambda number: 2 * number)
    opened.pragma("foreign_keys = on")
    opened.restore(opened.snapshot())
    assert opened.database.execute("SELECT twice(4)").fetchall() == [{"row": (8,)}]
    assert opened.pragma("foreign_keys") == [{"row": (1,)}]


def test_another_page_size_in_memory_is_refused_with_the_remedy(in_memory: Plain) -> None:
    in_memory.fill(MANY)
    with closing(Plain("memory", Path())) as small:
        small.pragma("page_size = 1024")
        small.fill({1: []})
        saved = small.snapshot()
    with pytest.raises(ExecutionError, match="page_size in __init__"):
        in_memory.restore(saved)
    assert in_memory.rows() == MANY


@given(st.binary(min_size=1, max_size=200))
def test_bytes_that_are_no_database_are_refused(data: bytes) -> None:
    with closing(Plain("memory", Path())) as backed:
        backed.fill(MANY)
        with pytest.raises(ExecutionError, match="cannot be restored"):
            backed.restore(data)
        assert backed.rows() == MANY
