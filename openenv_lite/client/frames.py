"""Frames of an open WebSocket as its client sees them, without I/O: RFC 6455, no extensions.

`websockets` parses frames by a chain of generators, half of what a round trip of the sync client
cost beyond the socket. This does no more than a client needs, and a test asserts that both make
the same of any bytes.
"""

import os
import struct
from collections import deque

from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import Close, CloseCode, Opcode
from websockets.frames import apply_mask as _mask  # type: ignore[attr-defined]

__all__ = ["Frames", "masked"]

_FINAL = 0x80
_RESERVED = 0x70
_KIND = 0x0F
_MASKED = 0x80
_MOST_SHORT = 125
_SIZES = {126: 2, 127: 8}
"""Of the length that follows, by what stands in its place."""
_short, _long = struct.Struct("!BBH"), struct.Struct("!BBQ")

_KINDS = {int(kind) for kind in Opcode}
_CONTROLS = {int(kind) for kind in (Opcode.CLOSE, Opcode.PING, Opcode.PONG)}
_CONTINUATION, _CLOSE, _PING, _PONG = map(int, (Opcode.CONT, *sorted(_CONTROLS)))
_WHOLE = {_FINAL | Opcode.TEXT, _FINAL | Opcode.BINARY}
"""First bytes of messages in one frame, as nearly all are."""


def masked(kind: int, payload: bytes) -> bytes:
    """A frame as a client sends it: a whole message, masked."""
    length, mask = len(payload), os.urandom(4)
    if length <= _MOST_SHORT:
        head = bytes((_FINAL | kind, _MASKED | length))
    elif length < 1 << 16:
        head = _short.pack(_FINAL | kind, _MASKED | 126, length)
    else:
        head = _long.pack(_FINAL | kind, _MASKED | 127, length)
    return head + mask + _mask(payload, mask)


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
            self.send(_CLOSE, closing.serialize())
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
        if head & _KIND not in _KINDS:
            raise ProtocolError("invalid opcode")
        if length & _MASKED:
            raise ProtocolError("incorrect masking")
        if length > _MOST_SHORT:
            start += _SIZES[length]
            if len(unread) < start:
                return False
            length = int.from_bytes(unread[2:start], "big")
        self._check_size(length)
        if len(unread) < start + length:
            return False
        payload = bytes(memoryview(unread)[start : start + length])
        del unread[: start + length]
        if head in _WHOLE and self._parts is None:
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
        kind, is_final = head & _KIND, bool(head & _FINAL)
        if head & _RESERVED:
            raise ProtocolError("reserved bits must be 0")
        if kind in _CONTROLS:
            self._obey(kind, is_final, payload)
        else:
            self._gather(kind, is_final, payload)

    def _obey(self, kind: int, is_final: bool, payload: bytes) -> None:
        if len(payload) > _MOST_SHORT:
            raise ProtocolError("control frame too long")
        if not is_final:
            raise ProtocolError("fragmented control frame")
        if kind == _PING:
            self.send(_PONG, payload)
        elif kind == _PONG:
            self.pongs += 1
        else:
            self._say_goodbye(payload)

    def _say_goodbye(self, payload: bytes) -> None:
        self.closing = Close.parse(payload)
        if self._parts is not None:
            raise ProtocolError("incomplete fragmented message")
        self.send(_CLOSE, payload)
        self.open = False

    def _gather(self, kind: int, is_final: bool, payload: bytes) -> None:
        """Join a message that came in fragments, as a proxy may make them."""
        if (kind == _CONTINUATION) is (self._parts is None):
            raise ProtocolError("a fragment out of place")
        self._parts = [*(self._parts or ()), payload]
        if is_final:
            self.messages.append(b"".join(self._parts))
            self._parts = None
