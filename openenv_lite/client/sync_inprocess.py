"""The sync client's connection to an ASGI app in this process."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from openenv_lite.batches import Format
from openenv_lite.client.inprocess import AsyncInProcess
from openenv_lite.client.target import Target
from openenv_lite.errors import ConfigurationError, ConnectionLostError

__all__ = ["OwnLoop", "SyncInProcess"]

T = TypeVar("T")


class OwnLoop:
    """An event loop that runs only while a call waits for it, so no thread is needed."""

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run the coroutine to its end; everything else on the loop goes on meanwhile.

        Raises:
            ConfigurationError: Another loop runs in this thread, as in a notebook.
        """
        if asyncio._get_running_loop() is not None:
            coroutine.close()
            raise ConfigurationError(
                "An event loop runs in this thread, as in a notebook: use the async client, call "
                "from another thread, or serve the environment and pass base_url"
            )
        if self._runner is None:
            self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        return self._runner.get_loop().run_until_complete(coroutine)

    def close(self) -> None:
        """Cancel what still runs; a later `run` begins a new loop."""
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()


class SyncInProcess:
    """A `SyncTransport` to `target.app`, on a loop of the client's own."""

    def __init__(self, target: Target, loop: OwnLoop, form: Format | None = None) -> None:
        self._loop = loop
        self._inner = AsyncInProcess(target, form)

    def connect(self, session: str | None) -> Mapping[str, str]:
        """See `SyncTransport`."""
        return self._loop.run(self._inner.connect(session))

    def loss(self) -> ConnectionLostError | None:
        """See `SyncTransport`."""
        return self._inner.inbox.loss

    def send(self, frame: bytes) -> None:
        """See `SyncTransport`."""
        self._inner.pass_on(frame)

    def receive(self, timeout_s: float | None) -> bytes:
        """See `SyncTransport`."""
        return self._loop.run(self._inner.receive(timeout_s))

    def close(self, wait_s: float) -> None:
        """See `SyncTransport`."""
        self._loop.run(self._inner.close(wait_s))
