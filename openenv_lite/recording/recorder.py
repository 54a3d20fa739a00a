"""The file that events go to.

An event is handed to the operating system in one piece before the call that it tells of returns:
a process that is killed loses none of those, nor does a server that stops. What a machine that
loses its power has not yet written to its disk is lost. The last line may then be half a line,
which readers leave out.
"""

import contextlib
import datetime
import io
import logging
import os
import re
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path

from openenv_lite import codec
from openenv_lite.errors import ConfigurationError
from openenv_lite.recording.events import Event

__all__ = ["Recorder"]

log = logging.getLogger(__name__)


class Recorder:
    """Appends events to a file, which is open while somebody records. For one thread at a time.

    Where events cannot be written, that is logged once and nobody is stopped; the recording goes on
    when they can be written again.

    Args:
        path: Of the file; others may append to it too.

    Attributes:
        path: As above.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: io.FileIO | None = None
        self._users = 0
        self._missing = 0

    @classmethod
    def to_file(cls, path: str | os.PathLike[str]) -> "Recorder":
        """Record to this file, after what it holds; half a line there is ended first.

        Raises:
            ConfigurationError: It cannot be written.
        """
        recorder = cls(Path(path))
        try:
            with recorder._open() as file:
                if _is_torn(recorder.path):
                    file.write(b"\n")
        except OSError as error:
            raise ConfigurationError(
                f"Cannot record to {path} ({error.strerror or error}): choose another file"
            ) from None
        return recorder

    @classmethod
    def in_folder(cls, folder: str | os.PathLike[str], name: str) -> "Recorder":
        """Record to a new file in a folder, made with the first event; its name begins so.

        Raises:
            ConfigurationError: No files can be made there.
        """
        try:
            os.makedirs(folder, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise ConfigurationError(
                f"Cannot record in {folder} ({error.strerror or error}): choose a folder that "
                "files can be made in"
            ) from None
        now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S")
        plain = re.sub(r"[^\w.-]+", "_", name)
        return cls(Path(folder) / f"{plain}-{now}-{secrets.token_hex(4)}.jsonl")

    def join(self) -> None:
        """One more records."""
        self._users += 1

    def leave(self) -> None:
        """One fewer records; without any the file is closed."""
        self._users -= 1
        if self._users == 0 and self._file is not None:
            self._file.close()
            self._file = None

    def write(self, events: Sequence[Event]) -> None:
        """Append events, in one piece. Raises nothing."""
        lines = b"".join(codec.encode(event) + b"\n" for event in events)
        try:
            self._append(lines)
        except OSError as error:
            if not self._missing:
                log.error("Cannot record to %s: %s. Nobody is stopped by it", self.path, error)
            self._missing += len(events)
            return
        if self._missing:
            log.warning("%s is recorded to again; %d events are missing", self.path, self._missing)
            self._missing = 0

    def _append(self, lines: bytes) -> None:
        if self._file is None:
            self._file = self._open()
        written = self._file.write(lines) or 0
        while written < len(lines):
            try:
                more = self._file.write(lines[written:])
                if not more:
                    raise BlockingIOError("it takes no more for now")
            except OSError:
                self._take_back(written)
                raise
            written += more

    def _take_back(self, written: int) -> None:
        """Remove half a line from the end, unless others have appended to it since."""
        assert self._file is not None
        with contextlib.suppress(OSError):
            end = self._file.tell()
            if written and os.fstat(self._file.fileno()).st_size == end:
                self._file.truncate(end - written)

    def _open(self) -> io.FileIO:
        # Not blocking, so that a pipe that nobody reads is refused and holds up nobody.
        return io.FileIO(self.path, "a", opener=_opened_at_once)


def _is_torn(path: Path) -> bool:
    """Whether it ends in half a line, as a process that was killed may have left it."""
    if not path.is_file() or not os.access(path, os.R_OK):
        return False
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 1, 0))
        return file.read() not in (b"", b"\n")


def _opened_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)
