"""A server past every client: frames and requests of one's own making, written down as Python."""

from collections.abc import Callable
from typing import Any

import httpx

from openenv_lite.client.async_socket import AsyncSocket
from openenv_lite.client.inprocess import AsyncInProcess
from openenv_lite.client.target import Target
from openenv_lite.client.transport import AsyncTransport
from openenv_lite.errors import ReplyTimeoutError, TransportError
from openenv_lite.testing.sessions.game import Run
from openenv_lite.testing.sessions.seen import short

__all__ = ["Note", "Wire"]

Note = Callable[[str], None]
"""Told what was done, as Python."""

_PATIENCE_S = 5.0
"""How long a reply may take about which no environment has to think."""


class Wire:
    """One connection to `/ws`, made with the first frame, and requests beside it.

    Args:
        target: The server.
        run: Runs coroutines on the server's event loop.
        fetch: One HTTP request, as `httpx` takes it.
        note: Told what is done.
    """

    def __init__(
        self, target: Target, run: Run[Any], fetch: Callable[..., httpx.Response], note: Note
    ) -> None:
        self._target = target
        self._run = run
        self._fetch = fetch
        self._note = note
        self._transport: AsyncTransport | None = None

    def tell(self, frame: str) -> None:
        """Send a text frame, and wait for nothing."""
        self._run(self._sent(frame))
        self._note(f"wire.tell({frame!r})")

    def say(self, frame: str) -> str:
        """Send a text frame, and return the next that comes back.

        Raises:
            ConnectionFailedError: There was nobody to say it to.
            ConnectionLostError: The connection ended instead.
            ReplyTimeoutError: Nothing came within 5 s.
        """
        try:
            reply: str = self._run(self._said(frame))
        except TransportError as error:
            self._note(
                f"with suppress(OpenEnvError): wire.say({frame!r})  # {type(error).__name__}"
            )
            raise
        self._note(f"wire.say({frame!r})  # {short(reply)}")
        return reply

    async def _said(self, frame: str) -> str:
        transport = await self._sent(frame)
        try:
            return (await transport.receive(_PATIENCE_S)).decode()
        except TimeoutError:
            raise ReplyTimeoutError(f"No reply within {_PATIENCE_S} s") from None

    async def _sent(self, frame: str) -> AsyncTransport:
        if self._transport is None:
            self._transport = await self._connected()
        await self._transport.send(frame.encode())
        return self._transport

    async def _connected(self) -> AsyncTransport:
        in_process = self._target.app is not None
        transport = AsyncInProcess(self._target) if in_process else AsyncSocket(self._target)
        await transport.connect(None)
        return transport

    def fetch(self, method: str, path: str, **given: Any) -> httpx.Response:
        """One HTTP request; `given` as `httpx` takes it.

        Raises:
            ConnectionFailedError: Nobody answers.
        """
        more = "".join(f", {name}={value!r}" for name, value in given.items())
        response = self._fetch(method, path, **given)
        self._note(f"wire.fetch({method!r}, {path!r}{more})  # {response.status_code}")
        return response

    def close(self) -> None:
        """Hang up."""
        transport, self._transport = self._transport, None
        if transport is not None:
            self._run(transport.close(0))
