"""The command line as a user has it: a process, its first line, its end."""

import contextlib
import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.mcp.talking import Talker

__all__ = ["COMMAND", "ROOT", "Attending", "Serving", "attending", "run", "serving"]

ROOT = Path(__file__).parents[2]
PYTHON = Path(sys.executable)
PROGRAM = ("-m", "openenv_lite")
COMMAND = (str(PYTHON), *PROGRAM)

PATIENCE_S = 30.0


class Serving(NamedTuple):
    """A running `openenv-lite serve`."""

    line: str
    process: "subprocess.Popen[str]"

    @property
    def url(self) -> str:
        """Where it says it is."""
        found = re.search(r"http://\S+", self.line)
        assert found, self.line
        return found[0]


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=50, check=False
    )


@contextlib.contextmanager
def serving(*arguments: str, python: Path = PYTHON, **variables: str) -> Iterator[Serving]:
    """Run `serve` on a free port, with these environment variables, until the block ends."""
    with subprocess.Popen(
        [python, *PROGRAM, "serve", *arguments],
        cwd=ROOT,
        env={**os.environ, "PORT": "0", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield Serving(process.stdout.readline(), process)
        finally:
            process.terminate()
            process.wait(30)


class Attending(Talker):
    """A running `openenv-lite mcp`, spoken to over raw pipes."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        self.process = process
        self.stdin, self.stdout, self._stderr = process.stdin, process.stdout, process.stderr
        self._heard = b""

    def write(self, message: bytes) -> None:
        """Send one message, as a line."""
        self.stdin.write(message + b"\n")
        self.stdin.flush()

    def hear(self) -> Any:
        """The next message; each is one line of JSON."""
        deadline = time.monotonic() + PATIENCE_S
        while b"\n" not in self._heard:
            assert select.select([self.stdout], [], [], deadline - time.monotonic())[0], "silence"
            chunk = os.read(self.stdout.fileno(), 2**16)
            assert chunk, f"It ended: {self._stderr.read().decode()}"
            self._heard += chunk
        line, _, self._heard = self._heard.partition(b"\n")
        return json.loads(line)

    def end(self) -> int:
        """Close its stdin; the exit code."""
        self.stdin.close()
        return self.process.wait(PATIENCE_S)

    def rest(self) -> tuple[bytes, str]:
        """What is left on stdout, and all of stderr; once it has ended."""
        return self._heard + self.stdout.read(), self._stderr.read().decode()


@contextlib.contextmanager
def attending(*arguments: str) -> Iterator[Attending]:
    """Run `mcp` until the block ends."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*COMMAND, "mcp", *arguments], cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe
    ) as process:
        try:
            yield Attending(process)
        finally:
            process.kill()
