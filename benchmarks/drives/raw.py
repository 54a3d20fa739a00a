"""Load from one blocking socket with hand-made frames: the limit of any client."""

import functools
import json
import os
import socket

from benchmarks.drives.exchange import (
    Sample,
    Target,
    check,
    count,
    messages,
    obey,
    reset_message,
    step_message,
)

__all__ = ["BINARY", "TEXT", "connect", "framed", "payload_of"]

HANDSHAKE = (
    "GET /ws HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{}\r\n"
)
TEXT, BINARY, MASKED, TWO_BYTE_LENGTH = 0x81, 0x82, 0x80, 126


@functools.lru_cache(maxsize=64)
def framed(payload: bytes, kind: int = TEXT) -> bytes:
    """A masked frame of at most 125 bytes."""
    mask = os.urandom(4)
    assert len(payload) < TWO_BYTE_LENGTH
    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    return bytes([kind, MASKED | len(payload)]) + mask + masked


def payload_of(frame: bytes, kind: int = TEXT) -> bytes:
    """The payload of exactly one unmasked frame."""
    start = 4 if frame[1] == TWO_BYTE_LENGTH else 2
    length = int.from_bytes(frame[2:4], "big") if start > 2 else frame[1]
    if frame[0] != kind or len(frame) != start + length:
        raise ValueError(f"Not one whole frame: {frame!r}")
    return frame[start:]


def connect(address: str, header: str = "") -> socket.socket:
    """A WebSocket; `header` is a whole further line of the handshake."""
    host, _, port = address.partition(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(HANDSHAKE.format(address, header).encode())
    if not connection.recv(4096).startswith(b"HTTP/1.1 101"):
        raise ConnectionError("The server refused the WebSocket")
    return connection


def run(target: Target) -> Sample:
    with connect(target.address) as connection:

        def ask(message: bytes) -> dict[str, object]:
            connection.sendall(framed(message))
            data: dict[str, object] = json.loads(payload_of(connection.recv(65536)))["data"]
            return data

        def step(message: str) -> None:
            data = ask(step_message(message))
            observation = data["observation"]
            assert isinstance(observation, dict)
            check(message, observation, data["reward"])

        ask(reset_message())
        return count(step, messages(0), target)


if __name__ == "__main__":
    obey(run)
