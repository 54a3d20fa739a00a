"""Several processes that serve as one: they are started, replaced where one ends, and stopped."""

import contextlib
import logging
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from multiprocessing import connection
from multiprocessing.context import SpawnProcess
from typing import NamedTuple

from openenv_lite.cli.arguments import log_at
from openenv_lite.cli.running import Server
from openenv_lite.errors import ConfigurationError
from openenv_lite.loading import ASGIApp, Plan
from openenv_lite.server.workers import WorkerApp
from openenv_lite.workers import Worker, become

__all__ = ["run_workers"]

log = logging.getLogger(__name__)

_CANNOT_START = 3
"""Exit code of a worker that would fail again in the same way."""

_PATIENCE_S = 30.0
"""How long a worker may take to end: its requests and its environments have 10 seconds each."""

_BACKLOG = 1024


class _Duty(NamedTuple):
    """What one worker is to do; it travels to the new process."""

    plan: Plan
    log_level: str
    worker: Worker
    outer: socket.socket
    inner: socket.socket


def run_workers(plan: Plan, log_level: str, outer: list[socket.socket]) -> None:
    """Serve by as many processes as there are sockets, until this one is told to end.

    Raises:
        ConfigurationError: A worker cannot start.
    """
    if not hasattr(os, "lockf"):
        raise ConfigurationError("This system has no Unix sockets and locks: use --workers 1")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with (
        tempfile.TemporaryDirectory(prefix="openenv-lite-") as folder,
        _inner(folder, len(outer)) as inner,
    ):
        count = len(outer)
        duties = [
            _Duty(plan, log_level, Worker(number, 0, count, folder), outer[number], inner[number])
            for number in range(count)
        ]
        _supervise(duties)


@contextlib.contextmanager
def _inner(folder: str, count: int) -> Iterator[list[socket.socket]]:
    """The sockets on which workers hear each other.

    They outlive a worker: what is sent to one that has ended waits for the one in its place.
    """
    with contextlib.ExitStack() as sockets:
        found = [sockets.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(count)]
        for number, each in enumerate(found):
            _listen(each, os.path.join(folder, str(number)))
        yield found


def _listen(inner: socket.socket, path: str) -> None:
    try:
        # Under another name first: some event loops remove the name they know when they close.
        inner.bind(f"{path}-")
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen on {path}- ({error}): set TMPDIR to a folder with a short name"
        ) from None
    os.rename(f"{path}-", path)
    inner.listen(_BACKLOG)


def _supervise(duties: list[_Duty]) -> None:
    processes: list[SpawnProcess] = []
    try:
        for duty in duties:
            processes.append(_started(duty))  # one by one: it may be told to end meanwhile
        while True:
            connection.wait([each.sentinel for each in processes])
            for number, process in enumerate(processes):
                if process.exitcode is not None:
                    duties[number] = _next_duty(duties[number], process.exitcode)
                    processes[number] = _started(duties[number])
    finally:
        _stop(processes)


def _started(duty: _Duty) -> SpawnProcess:
    process = multiprocessing.get_context("spawn").Process(target=_work, args=duty)
    process.start()
    return process


def _next_duty(duty: _Duty, exitcode: int) -> _Duty:
    """That of the process in the place of one that ended."""
    was = duty.worker
    if exitcode == _CANNOT_START:
        raise ConfigurationError(f"Worker {was.number} cannot start: its log above says why")
    log.error("Worker %d ended (%d), and its sessions; another starts", was.number, exitcode)
    return duty._replace(
        worker=Worker(was.number, was.generation + 1, was.count, was.folder),
    )


def _stop(processes: list[SpawnProcess]) -> None:
    """End all; a second signal ends nothing sooner here, but reaches the workers of a terminal."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    for each in processes:
        each.terminate()
    for each in processes:
        each.join(_PATIENCE_S)
        each.kill()
        each.join()


def _work(
    plan: Plan, log_level: str, worker: Worker, outer: socket.socket, inner: socket.socket
) -> None:
    """The life of a worker."""
    log_at(log_level)
    threading.Thread(target=_end_with_parent, args=(worker.folder,), daemon=True).start()
    become(worker)
    with contextlib.suppress(KeyboardInterrupt):
        server = _WorkerServer(_app(plan), log_level, worker, inner)
        server.run(sockets=[outer])
        if not server.started:
            sys.exit(_CANNOT_START)


def _app(plan: Plan) -> ASGIApp:
    try:
        return plan.app()
    except Exception:
        log.exception("The app cannot be made")
        sys.exit(_CANNOT_START)


def _end_with_parent(folder: str) -> None:
    """A parent that was killed could neither stop its workers nor clear up."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        shutil.rmtree(folder, ignore_errors=True)
        os.kill(os.getpid(), signal.SIGTERM)


class _WorkerServer(Server):
    """Also serves what other workers send, as it serves its own clients."""

    def __init__(self, app: ASGIApp, log_level: str, worker: Worker, inner: socket.socket) -> None:
        self._app = WorkerApp(app, worker)
        self._inner = inner
        super().__init__(app, log_level, self._app)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        if self.started:
            others = await self._app.listen(self._inner, self.server_state.tasks)
            self.servers.append(others)
