"""Outside servers as processes, mounted in an environment, and a look at what they leave."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from openenv_lite import MCPEnvironment
from openenv_lite.outside import OutsideServer
from tests.leaks import until

__all__ = [
    "Desk",
    "children",
    "disregard_earlier_children",
    "free_port",
    "http_server",
    "listening",
    "loss_noticed",
    "opened",
    "stdio",
]

HERE = Path(__file__).parent


class Desk(MCPEnvironment):
    """Offers the tools of an outside server under `out_`, and one of its own."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, server: OutsideServer) -> None:
        super().__init__()
        self.mount("out", server)

        @self.tool
        def own() -> str:
            return "mine"


def stdio(script: str = "server.py", **options: Any) -> OutsideServer:
    """One of this folder's servers as a program on stdin and stdout."""
    words = ["stdio"] if script == "server.py" else []
    return OutsideServer(command=[sys.executable, str(HERE / script), *words], **options)


_EARLIER: set[int] = set()


@contextlib.asynccontextmanager
async def opened(server: OutsideServer) -> AsyncIterator[Desk]:
    """An environment as a session has it, from `connect` to `disconnect`."""
    desk = Desk(server)
    await desk.connect()
    try:
        yield desk
    finally:
        await desk.disconnect()


def children() -> set[int]:
    """Processes that this test started and that still exist, ended or not."""
    return _all_children() - _EARLIER


def disregard_earlier_children() -> None:
    """Leave out, from now on, the servers that other tests of this run keep."""
    _EARLIER.clear()
    _EARLIER.update(_all_children())


def _all_children() -> set[int]:
    found: set[int] = set()
    for thread in Path(f"/proc/{os.getpid()}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it ended meanwhile
            found.update(map(int, (thread / "children").read_text().split()))
    return found


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


async def loss_noticed() -> None:
    """Return once no connection is held any more."""

    def held() -> bool:
        return any(task.get_name().startswith("openenv-outside") for task in asyncio.all_tasks())

    await until(lambda: not held())


@contextlib.contextmanager
def http_server(port: int, era: str = "new") -> "Iterator[subprocess.Popen[bytes]]":
    """The server over HTTP, as a process, until the block ends."""
    words = [sys.executable, str(HERE / "server.py"), "http", str(port), era]
    with subprocess.Popen(words) as process:
        try:
            yield process
        finally:
            process.kill()
            process.wait(30)


async def listening(port: int) -> None:
    """Return once somebody listens."""

    def answered() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    await until(answered)
