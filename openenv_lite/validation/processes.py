"""Programs run beside this one, bounded in time, and in what is kept of their words."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from openenv_lite.server.variables import VARIABLES

__all__ = ["OURS", "Ended", "Program", "last_line", "run", "serving", "started"]

OURS = (sys.executable, "-P", "-m", "openenv_lite")
"""Our command line; where it is called from is no place to import from."""

_SETTINGS = VARIABLES | {"OPENENV_MODE", "HOST", "PORT", "WORKERS", "LOG_LEVEL"}
"""Of `serve`, which are not to come from the shell of whoever validates."""

_ADDRESS = re.compile(r"^Serving .* on (http://\S+)$", re.MULTILINE)

_STOP_S = 5.0
_KEPT_BYTES = 2**22
_TICK_S = 0.05


class Ended(NamedTuple):
    """What became of a program.

    Attributes:
        code: Its exit code; None if it had to be stopped.
        out: The end of what it wrote to stdout.
        err: The same of stderr.
    """

    code: int | None
    out: str
    err: str


class Program:
    """One that runs.

    Args:
        process: With pipes for what it writes.
    """

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        self._out, self._err = _Tail(process.stdout), _Tail(process.stderr)
        self._ended: Ended | None = None

    @property
    def out(self) -> str:
        """The end of what it has written to stdout."""
        return self._out.text()

    def wait(self, limit_s: float, enough: Callable[[], object] = lambda: False) -> int | None:
        """Wait for its end, for `enough` to be true, or for the time to be over; its exit code."""
        until = time.monotonic() + limit_s
        while not enough() and time.monotonic() < until:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self._process.wait(_TICK_S)
        return self._process.poll()

    def ended(self) -> Ended:
        """Stop it, if it still runs, and all that it has started; once."""
        self._ended = self._ended or self._stopped()
        return self._ended

    def _stopped(self) -> Ended:
        code = self._process.poll()
        try:
            if code is None:
                _signal(self._process, "SIGTERM")
                self.wait(_STOP_S)
        finally:
            _signal(self._process, "SIGKILL")
            self._process.wait()
        return Ended(code, self._out.whole(), self._err.whole())


def _signal(process: "subprocess.Popen[bytes]", name: str) -> None:
    """To the program and its own children, where the system has groups of processes."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, getattr(signal, name))
        elif process.poll() is None:
            process.kill()


class _Tail:
    """Reads a pipe to its end, so that its writer never waits, and keeps what came last."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._kept = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while part := os.read(self._pipe.fileno(), 65536):
                self._kept += part
                del self._kept[:-_KEPT_BYTES]

    def text(self) -> str:
        return bytes(self._kept).decode(errors="replace")

    def whole(self) -> str:
        """The text once the pipe has ended; somebody who left the group may hold it open."""
        self._thread.join(_STOP_S)
        if not self._thread.is_alive():
            self._pipe.close()
        return self.text()


@contextlib.contextmanager
def started(
    command: Sequence[str], folder: Path | None = None, more: Mapping[str, str] | None = None
) -> Iterator[Program]:
    """Run a program until the block ends, however it ends.

    Args:
        command: Its words.
        folder: Where it runs; by default here.
        more: Variables beside this process's, of which those that set a server up are left out.
    """
    program = Program(
        subprocess.Popen(
            command,
            cwd=folder,
            env={**_variables(), **(more or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    )
    try:
        yield program
    finally:
        program.ended()


def run(
    command: Sequence[str],
    limit_s: float,
    folder: Path | None = None,
    more: Mapping[str, str] | None = None,
) -> Ended:
    """Run a program to its end, or for so many seconds; the rest as `started`."""
    with started(command, folder, more) as program:
        program.wait(limit_s)
        return program.ended()


@contextlib.contextmanager
def serving(words: Sequence[str], limit_s: float) -> Iterator[tuple[Program, str | None]]:
    """Our server on a free port, until the block ends, and its URL; None if it has none in time.

    Args:
        words: What `serve` is told beside where to listen: the target first.
        limit_s: Seconds.
    """
    place = ("--host", "127.0.0.1", "--port", "0", "--workers", "1")
    with started((*OURS, "serve", *words, *place)) as program:
        program.wait(limit_s, lambda: _ADDRESS.search(program.out))
        found = _ADDRESS.search(program.out)
        yield program, found and found[1]


def _variables() -> dict[str, str]:
    """This process's, without those that set a server up; what is imported is found anywhere."""
    kept = {name: value for name, value in os.environ.items() if name not in _SETTINGS}
    if "PYTHONPATH" in kept:
        places = kept["PYTHONPATH"].split(os.pathsep)
        kept["PYTHONPATH"] = os.pathsep.join(os.path.abspath(place) for place in places)
    return {**kept, "PYTHONUNBUFFERED": "1"}


def last_line(ended: Ended) -> str:
    """What a program said last, on stderr if it said anything there."""
    lines = [line.strip() for line in (ended.err or ended.out).splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
