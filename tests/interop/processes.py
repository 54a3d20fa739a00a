"""The processes of the interop tests: two servers, the original's clients, its command line."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

__all__ = ["Driver", "Fleet", "open_driver", "open_fleet"]

ROOT = Path(__file__).parents[2]


class Fleet:
    """One server process: an app a port."""

    def __init__(self, ports: dict[str, int]) -> None:
        self.ports = ports

    @property
    def urls(self) -> dict[str, str]:
        """Base URL of each app."""
        return {name: f"http://127.0.0.1:{port}" for name, port in self.ports.items()}


class Driver:
    """The original's clients in a process of their own."""

    def __init__(self, orders: IO[str], answers: IO[str]) -> None:
        self._orders = orders
        self._answers = answers

    def play(self, scenario: str, fleet: Fleet) -> Any:
        """What the clients saw; fails with their traceback where they raised."""
        self._orders.write(json.dumps({"scenario": scenario, "urls": fleet.urls}) + "\n")
        self._orders.flush()
        answer = json.loads(self._answers.readline())
        assert "raised" not in answer, answer["raised"]
        return answer["saw"]


@contextmanager
def open_fleet(python: Path, module: str, *arguments: str) -> Iterator[Fleet]:
    """Serve until the block ends."""
    with _run(python, module, *arguments) as (_, answers, complaints):
        first = answers.readline()
        if not first:
            complaints.seek(0)
            raise AssertionError(f"{module} did not start:\n{complaints.read()}")
        yield Fleet(json.loads(first))


@contextmanager
def open_driver(python: Path) -> Iterator[Driver]:
    """The original's clients, until the block ends."""
    with _run(python, "tests.interop.original.drive") as (orders, answers, _):
        yield Driver(orders, answers)


@contextmanager
def _run(python: Path, module: str, *arguments: str) -> Iterator[tuple[IO[str], IO[str], IO[str]]]:
    """Standard input, output and error of a module; closing its input ends it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(
            [python, "-m", module, *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdin, process.stdout, complaints
        finally:
            process.stdin.close()
            _end(process)


def _end(process: "subprocess.Popen[str]") -> None:
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
