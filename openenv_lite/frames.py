"""Heads of WebSocket frames (RFC 6455, section 5.2), as both sides of a connection write them."""

import struct

__all__ = [
    "BINARY",
    "CLOSE",
    "CONTINUATION",
    "FINAL",
    "KIND",
    "KINDS",
    "MASKED",
    "MOST_SHORT",
    "PING",
    "PONG",
    "SIZES",
    "TEXT",
    "WHOLE",
    "head_of",
]

KINDS = CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
"""The opcodes there are."""

FINAL = 0x80
"""Of a first byte: no fragment follows."""

KIND = 0x0F
"""Of a first byte: the opcode."""

MASKED = 0x80
"""Of a second byte: a mask stands before the payload, as a client's must."""

MOST_SHORT = 125
"""The longest payload whose length stands in the second byte itself."""

SIZES = {126: 2, 127: 8}
"""Bytes of the length that follows, by what stands in its place."""

WHOLE = FINAL | TEXT, FINAL | BINARY
"""First bytes of messages in one frame, as nearly all are."""

_short, _long = struct.Struct("!BBH"), struct.Struct("!BBQ")


def head_of(kind: int, length: int, masked: int = 0) -> bytes:
    """The head of a whole message's frame, but for the mask.

    Args:
        kind: Its opcode.
        length: Of the payload, in bytes.
        masked: `MASKED`, if a mask follows.
    """
    if length <= MOST_SHORT:
        return bytes((FINAL | kind, masked | length))
    if length < 1 << 16:
        return _short.pack(FINAL | kind, masked | 126, length)
    return _long.pack(FINAL | kind, masked | 127, length)
