"""The seam between a vector client and what takes its requests and gives the replies.

Here it is a WebSocket; `env_carrier` has an environment of this process in its place.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from openenv_lite.client.async_socket import AsyncSocket
from openenv_lite.client.inprocess import AsyncInProcess
from openenv_lite.client.sync_inprocess import OwnLoop, SyncInProcess
from openenv_lite.client.sync_socket import SyncSocket
from openenv_lite.client.target import Target
from openenv_lite.client.transport import SUBPROTOCOL_HEADER, AsyncTransport, SyncTransport
from openenv_lite.client.vector_words import VectorWords
from openenv_lite.errors import ConnectionFailedError, ConnectionLostError

__all__ = ["AsyncCarrier", "AsyncFrames", "Heard", "SyncCarrier", "SyncFrames"]

Heard = Callable[[Any], None]
"""Told each reply as it comes."""


class AsyncCarrier(Protocol):
    """Carries requests, and tells `heard` and `ended` what comes back. Used once."""

    async def connect(
        self, heard: Heard, ended: Callable[[ConnectionLostError], None], session: str | None
    ) -> None:
        """Be ready.

        Args:
            heard: Told each reply.
            ended: Told why none can come any more.
            session: Of a lane to be taken up again, so that a server of several processes connects
                to the one that has it.

        Raises:
            ConnectionFailedError: Nobody there, or nobody who speaks our subprotocol.
        """

    async def send(self, request: Any) -> None:
        """Pass a request on; without a connection do nothing, for `ended` was told."""

    async def close(self) -> None:
        """Release everything."""


class SyncCarrier(Protocol):
    """As `AsyncCarrier`, for the calling thread alone, which asks for replies."""

    def connect(self, session: str | None) -> None:
        """As in `AsyncCarrier`."""

    def loss(self) -> ConnectionLostError | None:
        """Why no reply can come any more; None while one waits or the connection stands."""

    def send(self, request: Any) -> None:
        """As in `AsyncCarrier`."""

    def receive(self, timeout_s: float | None) -> Any:
        """The next reply.

        Raises:
            ConnectionLostError: No more will come.
            TimeoutError: None came in time.
        """

    def close(self) -> None:
        """As in `AsyncCarrier`."""


class AsyncFrames:
    """Carries requests as frames."""

    def __init__(self, target: Target, words: VectorWords) -> None:
        kind = AsyncSocket if target.app is None else AsyncInProcess
        self._transport: AsyncTransport = kind(target, words.form)
        self._words = words

    async def connect(
        self, heard: Heard, ended: Callable[[ConnectionLostError], None], session: str | None
    ) -> None:
        """See `AsyncCarrier`."""
        decode = self._words.decode
        try:
            headers = await self._transport.connect(session)
            _check_subprotocol(headers, self._words)
        except BaseException:
            await self._transport.close(0)
            raise
        self._transport.listen(lambda frame: heard(decode(frame)), ended)

    async def send(self, request: Any) -> None:
        """See `AsyncCarrier`."""
        await self._transport.send(self._words.encode(request))

    async def close(self) -> None:
        """See `AsyncCarrier`."""
        await self._transport.close(0)


class SyncFrames:
    """As `AsyncFrames`, blocking."""

    def __init__(self, target: Target, words: VectorWords, loop: OwnLoop) -> None:
        self._transport: SyncTransport = (
            SyncSocket(target, words.form)
            if target.app is None
            else SyncInProcess(target, loop, words.form)
        )
        self._words = words

    def connect(self, session: str | None) -> None:
        """See `SyncCarrier`."""
        headers = self._transport.connect(session)
        try:
            _check_subprotocol(headers, self._words)
        except BaseException:
            self._transport.close(0)
            raise

    def loss(self) -> ConnectionLostError | None:
        """See `SyncCarrier`."""
        return self._transport.loss()

    def send(self, request: Any) -> None:
        """See `SyncCarrier`."""
        self._transport.send(self._words.encode(request))

    def receive(self, timeout_s: float | None) -> Any:
        """See `SyncCarrier`."""
        return self._words.decode(self._transport.receive(timeout_s))

    def close(self) -> None:
        """See `SyncCarrier`."""
        self._transport.close(0)


def _check_subprotocol(headers: Mapping[str, str], words: VectorWords) -> None:
    """A server that knows nothing of lanes would take our messages for its own."""
    wanted = words.form.subprotocol
    if headers.get(SUBPROTOCOL_HEADER) != wanted:
        raise ConnectionFailedError(
            f"The server does not speak {wanted!r}, so it cannot play many environments on one "
            "connection: serve the environment with openenv_lite, or use one EnvClient for each"
        )
