"""Other processes, with hash seeds of their own, in which parts are played from a fresh start."""

import contextlib
import functools
import os
import select
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from openenv_lite import codec
from openenv_lite.errors import FactoryError
from openenv_lite.testing.law import Unmet
from openenv_lite.testing.naming import Naming, named
from openenv_lite.testing.sessions.performing import Outcome, Part

__all__ = ["HASH_SEEDS", "Elsewhere", "played"]

HASH_SEEDS = ("1", "2")
"""Values of PYTHONHASHSEED; this process has a third one, most likely."""

START_S = 60.0
"""How long a process may take to start: some import much."""

PLAY_S = 20.0
"""How long it may take to play what it is asked."""

_UNBUILT = {"error": FactoryError.__name__}

_CODE = """
import sys
sys.path[:] = {path!r}
from openenv_lite.testing.child import serve
serve({imports!r}, {expression!r})
"""


class Elsewhere:
    """A process that plays each script in a copy of itself, made before anything was played.

    It starts at once and is waited for when it is first asked. It ends with `close`, and at the
    latest with this object or this process.

    Args:
        naming: How it finds what makes the environment.
        hash_seed: Its PYTHONHASHSEED.
    """

    def __init__(self, naming: Naming, hash_seed: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CODE.format(path=sys.path, **naming._asdict())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            start_new_session=True,
        )
        self._end = weakref.finalize(self, _end, self._process)

    @functools.cached_property
    def is_ready(self) -> bool:
        """Whether the environment was found there; waits until that is known."""
        try:
            return self._read(START_S) is None
        except Unmet:
            return False

    def play(self, parts: Sequence[Part]) -> list[Outcome]:
        """What each part shows there.

        Raises:
            Unmet: The process does not find the environment, or does not answer.
        """
        if not self.is_ready:
            raise Unmet("a class that other processes can import")
        outcomes: list[Outcome] | None = self._ask(codec.encode(parts))
        if outcomes is None:
            raise Unmet("episodes that another process survives")
        if _UNBUILT in outcomes:  # what builds it was set up in this process alone
            raise Unmet("an environment that other processes can build")
        return outcomes

    def _ask(self, line: bytes) -> Any:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + b"\n")
            self._process.stdin.flush()
        except (OSError, ValueError):
            raise Unmet("another process that goes on living") from None
        return self._read(PLAY_S)

    def _read(self, patience_s: float) -> Any:
        """One line; a process that is silent for too long, or has ended, is asked no more."""
        assert self._process.stdout is not None
        stream, line = self._process.stdout.fileno(), b""
        while not line.endswith(b"\n"):
            is_ready = self._end.alive and select.select([stream], [], [], patience_s)[0]
            chunk = os.read(stream, 2**20) if is_ready else b""
            if not chunk:
                self.close()
                raise Unmet("another process that answers in time")
            line += chunk
        return codec.parse(line)

    def close(self) -> None:
        """End the process and all that it has started; again does nothing."""
        self._end()


def _end(process: "subprocess.Popen[bytes]") -> None:
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        stream.close()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def played(target: Callable[[], Any], hash_seed: str, parts: Sequence[Sequence[Any]]) -> Any:
    """Play parts in another process, for counterexamples and for curious people.

    Args:
        target: An environment's class, by a name that can be imported.
        hash_seed: PYTHONHASHSEED of the process.
        parts: Session, call and argument each; see `Part`.
    """
    process = Elsewhere(named(target), hash_seed)
    try:
        return process.play([Part(*each) for each in parts])
    finally:
        process.close()
