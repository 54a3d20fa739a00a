"""uvicorn's WebSocket protocol with a straight way for what is usual: a message in one frame.

Behind uvicorn, `websockets` parses frames by a chain of generators, and uvicorn itself stops and
resumes reading around each message: a sixth of what a step costs the server. All that is unusual,
from a ping to a protocol error, still goes to them frame by frame, so that they alone judge it.
"""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import apply_mask as _unmasked  # type: ignore[attr-defined]
from websockets.protocol import CONNECTING, OPEN

from openenv_lite.frames import (
    BINARY,
    FINAL,
    KIND,
    KINDS,
    MASKED,
    MOST_SHORT,
    SIZES,
    TEXT,
    WHOLE,
    head_of,
)

__all__ = ["StraightWebSocket"]

_MOST_WAITING = 16
"""Messages that wait for the app when reading stops."""

_CONTROL = 0x08
_LENGTH = 0x7F
_MASK_BYTES = 4


class StraightWebSocket(WebSocketsSansIOProtocol):
    """What `openenv-lite serve` runs; for another program, `--ws module:class` of uvicorn's own."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._is_straight = True
        self._unread = b""
        self._owed = 0
        self._is_in_parts = False

    def data_received(self, data: bytes) -> None:
        """Take what the socket gave."""
        if self.conn.state is CONNECTING:
            # First comes the request alone; what comes before its answer may end within a frame.
            self._is_straight = not self.handshake_initiated
            super().data_received(data)
        elif self._is_straight:
            self._take(self._unread + data)
        else:
            super().data_received(data)

    def _take(self, data: bytes) -> None:
        start = self._pass_on_rest(data)
        while start < len(data) and not self.transport.is_closing():
            payload = _payload_at(data, start)
            if payload is None:
                break
            if not self._deliver(data, start, payload):
                self._pass_on(data, start, payload.stop)
            start = payload.stop
        self._unread = data[start:]

    def _deliver(self, data: bytes, start: int, payload: slice) -> bool:
        """Give the app a message; False where the frame is none by itself, or must not be."""
        if not self._is_message(data, start, payload):
            return False
        told: bytes = _unmasked(data[payload], data[payload.start - _MASK_BYTES : payload.start])
        try:
            content = {"text": told.decode()} if data[start] & KIND == TEXT else {"bytes": told}
        except UnicodeDecodeError:
            return False
        message: Any = {"type": "websocket.receive", **content}
        self.queue.put_nowait(message)
        if self.queue.qsize() >= _MOST_WAITING and not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()
        return True

    def _is_message(self, data: bytes, start: int, payload: slice) -> bool:
        return (
            data[start] in WHOLE
            and bool(data[start + 1] & MASKED)
            and not self._is_in_parts
            and payload.stop <= len(data)
            and payload.stop - payload.start <= self.config.ws_max_size
            and self.conn.state is OPEN
        )

    def _pass_on(self, data: bytes, start: int, end: int) -> None:
        """Leave a frame to the library, which gets the rest of it as it comes."""
        if not data[start] & _CONTROL:
            self._is_in_parts = not data[start] & FINAL
        self._owed = max(0, end - len(data))
        super().data_received(data[start:end])

    def _pass_on_rest(self, data: bytes) -> int:
        """How much of the data belongs to a frame of which the library has the beginning."""
        rest = data[: self._owed]
        if rest:
            self._owed -= len(rest)
            super().data_received(rest)
        return len(rest)

    async def send(self, message: Any) -> None:
        """Send what the app says."""
        if message["type"] == "websocket.send" and self._is_writable():
            self.transport.write(_frame_of(message))
        else:
            await super().send(message)

    def _is_writable(self) -> bool:
        is_open = self.conn.state is OPEN and not self.transport.is_closing()
        return is_open and self.writable.is_set() and not self.conn.extensions


def _payload_at(data: bytes, start: int) -> slice | None:
    """Where the payload of a frame that starts here stands; None while its length is not known."""
    after = start + 2
    if len(data) < after:
        return None
    if not data[start + 1] & MASKED or data[start] & KIND not in KINDS:
        return slice(after, after)  # the library reads no further
    length = data[start + 1] & _LENGTH
    if length > MOST_SHORT:
        after += SIZES[length]
        if len(data) < after:
            return None
        length = int.from_bytes(data[start + 2 : after], "big")
    return slice(after + _MASK_BYTES, after + _MASK_BYTES + length)


def _frame_of(message: Any) -> bytes:
    """A message as a server sends it: whole, unmasked."""
    payload: bytes | None = message.get("bytes")
    if payload is not None:
        return head_of(BINARY, len(payload)) + payload
    text: bytes = message["text"].encode()
    return head_of(TEXT, len(text)) + text
