"""Servers and loads as processes, each held to one core."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from benchmarks.drives.exchange import Sample
from benchmarks.machine import LOAD_CORE, ROOT, SERVER_CORE

__all__ = [
    "FAST",
    "Load",
    "Running",
    "Server",
    "awake",
    "end",
    "free_port",
    "loading",
    "module",
    "serving",
    "uvicorn",
]

T = TypeVar("T")

FAST = ("--loop", "uvloop", "--http", "httptools", "--ws", "websockets-sansio")
START_SECONDS = 60.0


class Server(NamedTuple):
    """The command of a server, but for its port."""

    command: tuple[str, ...]


def uvicorn(app: str, python: str = sys.executable, options: tuple[str, ...] = FAST) -> Server:
    """An app under uvicorn; no options are uvicorn's defaults."""
    return Server((python, "-m", "uvicorn", app, *options))


def module(name: str) -> Server:
    """A module that is a server by itself."""
    return Server((sys.executable, "-m", name))


class Running(NamedTuple):
    """A server that accepts connections."""

    port: int
    process: int


class Load(Generic[T]):
    """A load process: asked on standard input, it answers on standard output."""

    def __init__(self, process: subprocess.Popen[bytes], found: type[T]) -> None:
        self._process = process
        self._found = found
        assert process.stdin is not None
        assert process.stdout is not None
        self._asked, self._answered = process.stdin, process.stdout
        self._read()

    def run(self, server: Running, seconds: float, cores: Collection[int] = (LOAD_CORE,)) -> T:
        os.sched_setaffinity(self._process.pid, cores)
        self._asked.write(f"{server.port} {server.process} {seconds}\n".encode())
        self._asked.flush()
        return msgspec.json.decode(self._read(), type=self._found)

    def _read(self) -> bytes:
        line = self._answered.readline()
        if not line:
            raise RuntimeError("A load process failed, see its traceback above")
        return line


@contextlib.contextmanager
def serving(server: Server) -> Iterator[Running]:
    """Run the server; gives it once it accepts connections."""
    port = free_port()
    command = [*server.command, "--port", str(port)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        os.sched_setaffinity(process.pid, {SERVER_CORE})
        try:
            if not _answers(process, port):
                log.seek(0)
                raise RuntimeError(f"{' '.join(command)} did not start:\n{log.read().decode()}")
            yield Running(port, process.pid)
        finally:
            end(process)


@contextlib.contextmanager
def loading(
    *arguments: str, python: str = sys.executable, found: type[Any] = Sample
) -> Iterator[Load[Any]]:
    """Run `python -m arguments`, a module of `benchmarks.drives` that answers with a `found`."""
    process = subprocess.Popen(
        [python, "-m", *arguments], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield Load(process, found)
    finally:
        end(process)


@contextlib.contextmanager
def awake() -> Iterator[None]:
    """Keep both cores from sleeping, see `benchmarks.drives.idle`."""
    command = [sys.executable, "-m", "benchmarks.drives.idle"]
    with contextlib.ExitStack() as stack:
        for core in (SERVER_CORE, LOAD_CORE):
            process = subprocess.Popen(command, cwd=ROOT)
            stack.callback(end, process)
            os.sched_setaffinity(process.pid, {core})
        yield


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    give_up = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < give_up:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return True
        time.sleep(0.05)
    return False


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop a process, by force if it does not go."""
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
