"""Environments whose whole state is a SQLite database."""

import contextlib
import sqlite3

from openenv_lite.errors import ExecutionError

__all__ = ["SQLiteBacked"]

_WRITE_AHEAD, _ROLLBACK = b"\x02\x02", b"\x01\x01"
_FORMAT_VERSIONS = slice(18, 20)
"""Where a database's header says how it is written (https://sqlite.org/fileformat2.html §1.3)."""

_REASONS = {
    sqlite3.SQLITE_BUSY: "another connection uses it; close that one before the call ends",
    sqlite3.SQLITE_LOCKED: "another connection uses it; close that one before the call ends",
    sqlite3.SQLITE_READONLY: "it is read-only, or its page size is not the saved one's; "
    "set PRAGMA page_size in __init__",
    sqlite3.SQLITE_NOTADB: "what was saved is no database",
}


class SQLiteBacked:
    """Snapshots of an environment that keeps all it knows in `self.database`, and `self.rng`.

    Open `self.database` in `__init__`, in memory or from a file of this environment alone, and
    commit before `reset`, `step` and tools return (or connect with `isolation_level=None`): what an
    open transaction changed could be saved, but not its rollback. The main database is saved;
    temporary tables, attached databases and what the connection alone knows, such as its row
    factory, functions and pragmas, are not, and stay.
    """

    database: sqlite3.Connection

    def snapshot(self) -> bytes:
        """The database as the bytes of a file; none for an empty one.

        Raises:
            ExecutionError: A transaction is open, or somebody else has locked the database.
        """
        database = self._opened()
        if database.in_transaction:
            raise ExecutionError(
                "A transaction is open in self.database, and a snapshot cannot hold it: call "
                "self.database.commit() before the call returns, or connect with "
                "isolation_level=None"
            )
        return database.serialize() if _has_pages(database) else b""

    def restore(self, saved: bytes) -> None:
        """Replace what the database holds, where it is: one from a file stays in its file.

        Raises:
            ExecutionError: A cursor has not been read to its end, another connection is using the
                database, or the bytes are none.
        """
        database = self._opened()
        database.rollback()  # what it was about to change is replaced all the same
        # Connection.deserialize on the author's own connection would cut it off from its file, and
        # end the process where a cursor is still open.
        with contextlib.closing(sqlite3.connect(":memory:")) as read:
            if saved:
                read.deserialize(_readable_in_memory(saved))
            _copy(read, database)

    def _opened(self) -> sqlite3.Connection:
        database: sqlite3.Connection | None = getattr(self, "database", None)
        if database is None:
            raise ExecutionError(
                f"{type(self).__name__} has no database: open self.database in __init__"
            )
        return database


def _has_pages(database: sqlite3.Connection) -> bool:
    """Whether there is anything to serialize; SQLite fails where there is not."""
    cursor = database.cursor()
    cursor.row_factory = None  # whatever the author's makes of a row
    pages: int = cursor.execute("PRAGMA page_count").fetchone()[0]
    return pages > 0


def _readable_in_memory(saved: bytes) -> bytes:
    """The database without a write-ahead log, which SQLite cannot have in memory."""
    if saved[_FORMAT_VERSIONS] != _WRITE_AHEAD:
        return saved
    return saved[: _FORMAT_VERSIONS.start] + _ROLLBACK + saved[_FORMAT_VERSIONS.stop :]


def _copy(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    def stop_at_failure(status: int, remaining: int, total: int) -> None:
        """Python's sqlite3 would otherwise try a locked database again for ever."""
        if status not in (sqlite3.SQLITE_OK, sqlite3.SQLITE_DONE):
            reason = _REASONS.get(status, f"SQLite's result code is {status}")
            raise ExecutionError(f"self.database cannot be restored: {reason}")

    try:
        source.backup(target, progress=stop_at_failure)
    except sqlite3.Error as error:
        raise ExecutionError(
            f"self.database cannot be restored: {error}; read every cursor to its end, or close "
            "it, before a call returns"
        ) from error
