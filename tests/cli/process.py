"""The command line as a user has it: a process, its first line, its end."""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["Serving", "run", "serving"]

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "openenv_lite")


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
def serving(*arguments: str, **variables: str) -> Iterator[Serving]:
    """Run `serve` on a free port, with these environment variables, until the block ends."""
    with subprocess.Popen(
        [*COMMAND, "serve", *arguments],
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
