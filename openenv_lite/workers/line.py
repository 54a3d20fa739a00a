"""Messages between two workers: maps of plain values over a Unix socket, as msgpack."""

import asyncio
import struct
from collections.abc import MutableMapping
from typing import Any

import msgspec

__all__ = ["Line", "open_line"]

Message = MutableMapping[str, Any]

_length = struct.Struct(">I")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Line:
    """One connection.

    Args:
        reader: Its bytes in.
        writer: Its bytes out.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._awaited: int | None = None

    async def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            OSError: The other side has gone.
        """
        if self._writer.is_closing():
            raise BrokenPipeError("The other worker has gone")
        body = _encode(message)
        self._writer.write(_length.pack(len(body)) + body)
        await self._writer.drain()

    async def receive(self) -> Any:
        """The next message; None where the other side has gone. May be cancelled and called again.

        Cancelled between length and body, the next call goes on with the body.
        """
        try:
            if self._awaited is None:
                (self._awaited,) = _length.unpack(await self._reader.readexactly(_length.size))
            body = await self._reader.readexactly(self._awaited)
        except (asyncio.IncompleteReadError, OSError):
            return None
        self._awaited = None
        return _decode(body)

    async def until_hung_up(self) -> None:
        """Wait for the other side to hang up, whatever it still says.

        To hang up first, with something unread, would take back the answer: the system tells the
        other side of the loss before it has read what came.
        """
        await asyncio.sleep(0)  # whoever was reading has been called off, and lets go now
        while await self.receive() is not None:
            pass

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


async def open_line(path: str) -> Line:
    """Call the worker that listens here.

    Raises:
        OSError: None does.
    """
    return Line(*await asyncio.open_unix_connection(path))
