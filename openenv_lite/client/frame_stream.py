"""A client's WebSocket connection without I/O: bytes in, whole messages out."""

from collections import deque
from collections.abc import Mapping

from websockets.client import ClientProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import WebSocketURI

from openenv_lite.client.transport import lost
from openenv_lite.errors import ConnectionLostError

__all__ = ["FrameStream"]

_DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)


class FrameStream:
    """The `websockets` protocol, its events sorted into what a client waits for.

    Attributes:
        frames: Messages that have come.
        pongs: How many pings have been answered.
    """

    def __init__(self, address: WebSocketURI, max_bytes: int) -> None:
        self._protocol = ClientProtocol(address, max_size=max_bytes)
        self._parts: list[bytes] = []
        self._response: Response | None = None
        self.frames: deque[bytes] = deque()
        self.pongs = 0

    @property
    def open(self) -> bool:
        """Whether messages can go both ways."""
        return self._protocol.state is State.OPEN

    @property
    def loss(self) -> ConnectionLostError:
        """Why it is not open any more."""
        closing = self._protocol.close_rcvd or self._protocol.close_sent
        code = closing.code if closing else CloseCode.ABNORMAL_CLOSURE
        return lost(int(code), closing.reason if closing else "")

    def ask(self, headers: Mapping[str, str]) -> None:
        """Ask for the upgrade."""
        hello = self._protocol.connect()
        hello.headers.update(headers)
        self._protocol.send_request(hello)

    def answer(self) -> dict[str, str] | None:
        """The headers of the response to `ask`, None before it has come.

        Raises:
            InvalidHandshake: The upgrade was refused.
        """
        if self._protocol.handshake_exc is not None:
            raise self._protocol.handshake_exc
        if self._response is None:
            return None
        pairs = self._response.headers.raw_items()
        return {name.lower(): value.strip() for name, value in pairs}

    def send(self, frame: bytes) -> None:
        """Send a text message, if the connection is open."""
        if self.open:
            self._protocol.send_text(frame)

    def ping(self) -> None:
        """Ask for a pong."""
        self._protocol.send_ping(b"")

    def close(self) -> None:
        """Send a close frame, if the connection is open."""
        if self.open:
            self._protocol.send_close(CloseCode.NORMAL_CLOSURE)

    def feed(self, data: bytes) -> None:
        """Take what a socket gave; no bytes mean its end."""
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._sort(event)
            elif isinstance(event, Response):
                self._response = event

    def due(self) -> bytes:
        """What must go to the socket now, pongs and close frames included."""
        return b"".join(self._protocol.data_to_send())

    def _sort(self, frame: Frame) -> None:
        if frame.opcode is Opcode.PONG:
            self.pongs += 1
        elif frame.opcode in _DATA:
            self._parts.append(bytes(frame.data))
            if frame.fin:
                self.frames.append(b"".join(self._parts))
                self._parts.clear()
