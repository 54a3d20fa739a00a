"""One suite for both twins on both transports."""

import asyncio
import contextlib
import inspect
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from openenv_lite.client import EnvClient, GenericEnvClient
from tests.client.serving import serve


class Connect(Protocol):
    def __call__(self, app: Any, kind: Any = GenericEnvClient, **options: Any) -> Any: ...


class Blocking:
    """An async client, called as its sync twin is."""

    def __init__(self, client: Any, runner: asyncio.Runner) -> None:
        self.client = client
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.client, name)
        return self._waiting(found) if inspect.iscoroutinefunction(found) else found

    def _waiting(self, method: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            result = self._runner.run(method(*args, **kwargs))
            return Blocking(result, self._runner) if isinstance(result, EnvClient) else result

        return call


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
