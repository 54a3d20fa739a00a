"""The process's stdin and stdout as a way for messages, one a line."""

import os
import sys
from collections.abc import AsyncIterator
from typing import NamedTuple

from openenv_lite.executor import ThreadExecutor

__all__ = ["Lines", "Pipes", "Taken", "take_over"]

CHUNK_BYTES = 64 * 1024


class Taken(NamedTuple):
    """File descriptors that nobody else in this process knows."""

    incoming: int
    outgoing: int


def take_over() -> Taken:
    """Keep stdin and stdout for messages alone.

    Whatever is printed from now on, by this process or by those it starts, goes to stderr; whoever
    reads stdin finds it empty.
    """
    taken = Taken(os.dup(0), os.dup(1))
    for each in taken:
        os.set_blocking(each, True)  # whoever started us may have left them otherwise
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr  # which is not held back until there is much of it
    return taken


class Lines:
    """Cuts bytes into lines as they come.

    Args:
        limit: Most bytes of a line.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._line = bytearray()

    def feed(self, chunk: bytes) -> list[bytes | None]:
        """The lines that end in this chunk; None stands for one that is too long."""
        *ends, rest = chunk.split(b"\n")
        found = []
        for part in ends:
            self._add(part)
            found.append(self.rest())
        self._add(rest)
        return found

    def _add(self, part: bytes) -> None:
        """Of a line that is too long no more is kept than shows it."""
        self._line += part[: self._limit + 1 - len(self._line)]

    def rest(self) -> bytes | None:
        """What came since the last end of a line, as a line of its own."""
        line = bytes(self._line)
        self._line.clear()
        return line if len(line) <= self._limit else None


class Pipes:
    """Reads and writes lines. Create it on the event loop.

    On a thread each, with calls that block: asyncio's own pipes refuse files and terminals, and
    would set a terminal that others share to non-blocking.
    """

    def __init__(self, taken: Taken) -> None:
        self._taken = taken
        self._reading, self._writing = ThreadExecutor("stdin"), ThreadExecutor("stdout")

    async def lines(self, limit: int) -> AsyncIterator[bytes | None]:
        """Every line to the end of input that holds something; None for one over the limit."""
        lines = Lines(limit)
        while chunk := await self._reading.run(os.read, self._taken.incoming, CHUNK_BYTES):
            for line in lines.feed(chunk):
                if line is None or line.strip():
                    yield line
        last = lines.rest()
        if last is None or last.strip():
            yield last

    async def write(self, body: bytes) -> None:
        """Write a line.

        Raises:
            OSError: Nobody is there to read it.
        """
        await self._writing.run(_write, self._taken.outgoing, body + b"\n")


def _write(descriptor: int, line: bytes) -> None:
    left = memoryview(line)
    while left:
        left = left[os.write(descriptor, left) :]
