"""Frames of an open WebSocket as its client sees them, without I/O: RFC 6455, no extensions.

`websockets` parses frames by a chain of generators, half of what a round trip of the sync client
cost beyond the socket. This does no more than a client needs, and a test asserts that both make
the same of any bytes.
"""

import os
from collections import deque

from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import Close, CloseCode
from websockets.frames import apply_mask as _mask  # type: ignore[attr-defined]

from openenv_lite.frames import (
    CLOSE,
    CONTINUATION,
    FINAL,
    KIND,
    KINDS,
    MASKED,
    MOST_SHORT,
    PING,
    PONG,
    SIZES,
    WHOLE,
    head_of,
)

__all__ = ["Frames", "masked"]

_RESERVED = 0x70
_CONTROLS = CLOSE, PING, PONG


def masked(kind: int, payload: bytes) -> bytes:
    """A frame as a client sends it: a whole message, masked."""
    mask = os.urandom(4)
    return head_of(kind, len(payload), MASKED) + mask + _mask(payload, mask)


class Frames:
    """Takes the peer's bytes, answers its pings and its close, and fails it where it errs.

    Args:
        max_bytes: Of the largest message that may come.

    Attributes:
        messages: Those that have come.
        open: Whether messages can go both ways.
        closing: What the close frame said, the peer's or else ours; None before there is one.
        pongs: How many have come.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._unread = bytearray()
        self._parts: list[bytes] | None = None
        self._due = b""
        self.messages: deque[bytes] = deque()
        self.open = True
        self.closing: Close | None = None
        self.pongs = 0

    def send(self, kind: int, payload: bytes) -> None:
        """Send a frame, if the connection is open."""
        if self.open:
            self._due += masked(kind, payload)

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame, if the connection is open."""
        if self.open:
            closing = Close(code, reason)
            self.send(CLOSE, closing.serialize())
            self.closing = self.closing or closing
            self.open = False

    def due(self) -> bytes:
        """What must go to the peer now."""
        due, self._due = self._due, b""
        return due

    def feed(self, data: bytes) -> None:
        """Take what a socket gave; no bytes mean its end."""
        if not data:
            self.open = False
        self._unread += data
        try:
            while self.open and self._take():
                pass
        except ProtocolError as error:
            self.close(CloseCode.PROTOCOL_ERROR, str(error))
        except UnicodeDecodeError as error:
            self.close(CloseCode.INVALID_DATA, f"{error.reason} at position {error.start}")
        except PayloadTooBig as error:
            self.close(CloseCode.MESSAGE_TOO_BIG, str(error))

    def _take(self) -> bool:
        """Take one frame; False where none is complete."""
        unread = self._unread
        if len(unread) < 2:
            return False
        head, length, start = unread[0], unread[1], 2
        if head & KIND not in KINDS:
            raise ProtocolError("invalid opcode")
        if length & MASKED:
            raise ProtocolError("incorrect masking")
        if length > MOST_SHORT:
            start += SIZES[length]
            if len(unread) < start:
                return False
            length = int.from_bytes(unread[2:start], "big")
        self._check_size(length)
        if len(unread) < start + length:
            return False
        payload = bytes(memoryview(unread)[start : start + length])
        del unread[: start + length]
        if head in WHOLE and self._parts is None:
            self.messages.append(payload)
        else:
            self._sort(head, payload)
        return True

    def _check_size(self, length: int) -> None:
        """A frame may not make its message longer than the limit."""
        if self._parts is not None:
            length += sum(map(len, self._parts))
        if length > self._max_bytes:
            raise PayloadTooBig(length, self._max_bytes)

    def _sort(self, head: int, payload: bytes) -> None:
        """A frame that is no message by itself."""
        kind, is_final = head & KIND, bool(head & FINAL)
        if head & _RESERVED:
            raise ProtocolError("reserved bits must be 0")
        if kind in _CONTROLS:
            self._obey(kind, is_final, payload)
        else:
            self._gather(kind, is_final, payload)

    def _obey(self, kind: int, is_final: bool, payload: bytes) -> None:
        if len(payload) > MOST_SHORT:
            raise ProtocolError("control frame too long")
        if not is_final:
            raise ProtocolError("fragmented control frame")
        if kind == PING:
            self.send(PONG, payload)
        elif kind == PONG:
            self.pongs += 1
        else:
            self._say_goodbye(payload)

    def _say_goodbye(self, payload: bytes) -> None:
        self.closing = Close.parse(payload)
        if self._parts is not None:
            raise ProtocolError("incomplete fragmented message")
        self.send(CLOSE, payload)
        self.open = False

    def _gather(self, kind: int, is_final: bool, payload: bytes) -> None:
        """Join a message that came in fragments, as a proxy may make them."""
        if (kind == CONTINUATION) is (self._parts is None):
            raise ProtocolError("a fragment out of place")
        self._parts = [*(self._parts or ()), payload]
        if is_final:
            self.messages.append(b"".join(self._parts))
            self._parts = None
