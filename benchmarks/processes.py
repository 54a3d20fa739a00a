"""Servers and loads as processes, each held to one core."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from benchmarks.drives.exchange import Sample
from benchmarks.machine import LOAD_CORE, ROOT, SERVER_CORE

__all__ = ["FAST", "Load", "Running", "Server", "awake", "loading", "serving"]

FAST = ("--loop", "uvloop", "--http", "httptools", "--ws", "websockets-sansio")
START_SECONDS = 60.0


class Server(NamedTuple):
    """An app for uvicorn: which interpreter, which options; none are the defaults."""

    app: str
    python: str = sys.executable
    options: tuple[str, ...] = FAST


class Running(NamedTuple):
    """A server that accepts connections."""

    port: int
    process: int


class Load:
    """A load process: asked on standard input, it answers on standard output."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self._asked, self._answered = process.stdin, process.stdout
        self._read()

    def run(self, server: Running, seconds: float, core: int = LOAD_CORE) -> Sample:
        os.sched_setaffinity(self._process.pid, {core})
        self._asked.write(f"{server.port} {server.process} {seconds}\n".encode())
        self._asked.flush()
        return msgspec.json.decode(self._read(), type=Sample)

    def _read(self) -> bytes:
        line = self._answered.readline()
        if not line:
            raise RuntimeError("A load process failed, see its traceback above")
        return line


@contextlib.contextmanager
def serving(server: Server) -> Iterator[Running]:
    """Run the server; gives it once it accepts connections."""
    port = _free_port()
    command = [server.python, "-m", "uvicorn", server.app, "--port", str(port), *server.options]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        os.sched_setaffinity(process.pid, {SERVER_CORE})
        try:
            if not _answers(process, port):
                log.seek(0)
                raise RuntimeError(f"{server.app} did not start:\n{log.read().decode()}")
            yield Running(port, process.pid)
        finally:
            _end(process)


@contextlib.contextmanager
def loading(*arguments: str, python: str = sys.executable) -> Iterator[Load]:
    """Run `python -m arguments`, a module of `benchmarks.drives`."""
    process = subprocess.Popen(
        [python, "-m", *arguments], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield Load(process)
    finally:
        _end(process)


@contextlib.contextmanager
def awake() -> Iterator[None]:
    """Keep both cores from sleeping, see `benchmarks.drives.idle`."""
    command = [sys.executable, "-m", "benchmarks.drives.idle"]
    with contextlib.ExitStack() as stack:
        for core in (SERVER_CORE, LOAD_CORE):
            process = subprocess.Popen(command, cwd=ROOT)
            stack.callback(_end, process)
            os.sched_setaffinity(process.pid, {core})
        yield


def _free_port() -> int:
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


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
