"""The seam between a client and what carries its frames, as bytes: text ones in UTF-8.

A transport is made for a `Format`, which says what subprotocol to ask for and whether frames are
text; for OpenEnv's own protocol there is none, and frames are text.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from openenv_lite.batches import Format
from openenv_lite.errors import ConnectionLostError

__all__ = ["SUBPROTOCOL_HEADER", "AsyncTransport", "SyncTransport", "is_text", "lost"]

SUBPROTOCOL_HEADER = "sec-websocket-protocol"
"""Header of the handshake, asking and answering."""


def is_text(form: Format | None) -> bool:
    """Whether frames are text."""
    return form is None or form.is_text


def lost(close_code: int, reason: str) -> ConnectionLostError:
    """The error for a closed connection, with the WebSocket close code (1006: no close frame)."""
    because = f": {reason}" if reason else ""
    return ConnectionLostError(
        f"The connection was lost (close code {close_code}{because})",
        close_code=close_code,
        reason=reason,
    )


class AsyncTransport(Protocol):
    """One WebSocket connection, used once."""

    async def connect(self, session: str | None) -> Mapping[str, str]:
        """Connect, to an existing session if one is named, and return the response's headers.

        Raises:
            ConnectionFailedError: Nobody there, or the handshake was refused.
        """

    async def loss(self) -> ConnectionLostError | None:
        """Why no frame can come any more; None while one waits or the connection stands."""

    async def send(self, frame: bytes) -> None:
        """Send; on a dead connection do nothing, for `receive` tells why it died."""

    async def receive(self, timeout_s: float | None) -> bytes:
        """The next frame. Cancelling it loses none.

        Raises:
            ConnectionLostError: No more will come; `details` carry `close_code` and `reason`.
            TimeoutError: None came in time.
        """

    def listen(
        self, heard: Callable[[bytes], None], ended: Callable[[ConnectionLostError], None]
    ) -> None:
        """In place of `receive`: hand over each frame as it comes, and at last the end."""

    async def close(self, wait_s: float) -> None:
        """Release everything, having waited up to `wait_s` for the peer to close first."""


class SyncTransport(Protocol):
    """One WebSocket connection, used once, by the calling thread alone."""

    def connect(self, session: str | None) -> Mapping[str, str]:
        """As in `AsyncTransport`."""

    def loss(self) -> ConnectionLostError | None:
        """As in `AsyncTransport`; asks the peer for a sign of life after a long idle time."""

    def send(self, frame: bytes) -> None:
        """As in `AsyncTransport`."""

    def receive(self, timeout_s: float | None) -> bytes:
        """As in `AsyncTransport`.

        Raises:
            TimeoutError: No whole frame came in time; what came of one is kept.
        """

    def close(self, wait_s: float) -> None:
        """As in `AsyncTransport`."""
