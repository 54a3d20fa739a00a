"""One suite for both twins on both transports."""

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from openenv_lite.client import GenericEnvClient
from tests.client.blocking import Blocking
from tests.client.players import player
from tests.client.serving import serve

__all__ = ["Blocking", "Connect", "connect", "player", "socket_path"]


class Connect(Protocol):
    def __call__(self, app: Any, kind: Any = GenericEnvClient, **options: Any) -> Any: ...


def socket_path(stack: contextlib.ExitStack) -> str:
    """Short, for the path of a Unix domain socket may have some hundred characters at most."""
    return str(Path(stack.enter_context(tempfile.TemporaryDirectory())) / "s")


@pytest.fixture(params=["async-tcp", "sync-tcp", "async-in-process", "sync-in-process"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Make a client of an app, closed after the test."""
    twin, _, wire = request.param.partition("-")
    with contextlib.ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner())

        def make(app: Any, kind: Any = GenericEnvClient, **options: Any) -> Any:
            if wire == "tcp":
                client = kind(stack.enter_context(serve(app)), **options)
            else:
                client = kind(app=app, **options)
            made = client.sync() if twin == "sync" else Blocking(client, runner)
            stack.callback(made.close)
            return made

        yield make
