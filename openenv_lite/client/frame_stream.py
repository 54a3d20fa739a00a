"""A client's WebSocket connection without I/O: bytes in, whole messages out."""

from collections import deque
from collections.abc import Mapping

from websockets.client import ClientProtocol
from websockets.frames import CloseCode, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from openenv_lite.client.frames import Frames
from openenv_lite.client.transport import lost
from openenv_lite.errors import ConnectionLostError

__all__ = ["FrameStream"]

_END_OF_HEADERS = b"\r\n\r\n"
_LONGEST_HEADERS = 65536


class FrameStream:
    """A handshake as `websockets` does it, then frames.

    Args:
        address: Of the server.
        max_bytes: Of the largest message that may come.
        subprotocol: To ask for.
    """

    def __init__(
        self, address: WebSocketURI, max_bytes: int, subprotocol: str | None = None
    ) -> None:
        offered = None if subprotocol is None else [Subprotocol(subprotocol)]
        self._handshake = ClientProtocol(address, subprotocols=offered)
        self._frames = Frames(max_bytes)
        self._head = b""
        self._is_refused = False
        self._headers: dict[str, str] | None = None

    @property
    def open(self) -> bool:
        """Whether messages can go both ways."""
        return self._frames.open

    @property
    def frames(self) -> deque[bytes]:
        """Messages that have come."""
        return self._frames.messages

    @property
    def pongs(self) -> int:
        """How many pings have been answered."""
        return self._frames.pongs

    @property
    def loss(self) -> ConnectionLostError:
        """Why it is not open any more."""
        closing = self._frames.closing
        code = closing.code if closing else CloseCode.ABNORMAL_CLOSURE
        return lost(int(code), closing.reason if closing else "")

    def ask(self, headers: Mapping[str, str]) -> None:
        """Ask for the upgrade."""
        hello = self._handshake.connect()
        hello.headers.update(headers)
        self._handshake.send_request(hello)

    def answer(self) -> dict[str, str] | None:
        """The headers of the response to `ask`, None before it has come.

        Raises:
            InvalidHandshake: The upgrade was refused.
        """
        if self._handshake.handshake_exc is not None:
            raise self._handshake.handshake_exc
        return self._headers

    def send(self, frame: bytes, is_text: bool) -> None:
        """Send a message, if the connection is open."""
        self._frames.send(Opcode.TEXT if is_text else Opcode.BINARY, frame)

    def ping(self) -> None:
        """Ask for a pong."""
        self._frames.send(Opcode.PING, b"")

    def close(self) -> None:
        """Send a close frame, if the connection is open."""
        self._frames.close(CloseCode.NORMAL_CLOSURE)

    def feed(self, data: bytes) -> None:
        """Take what a socket gave; no bytes mean its end."""
        if self._headers is not None:
            self._frames.feed(data)
        elif not data:
            self._handshake.receive_eof()
        elif self._is_refused:
            self._handshake.receive_data(data)
        else:
            self._shake_hands(data)

    def due(self) -> bytes:
        """What must go to the socket now, pongs and close frames included."""
        if self._headers is not None:
            return self._frames.due()
        return b"".join(self._handshake.data_to_send())

    def _shake_hands(self, data: bytes) -> None:
        """Hand the response over up to the end of its headers; frames may follow at once."""
        head, end, rest = (self._head + data).partition(_END_OF_HEADERS)
        if not end and len(head) < _LONGEST_HEADERS:
            self._head = head
            return
        self._handshake.receive_data(head + end)
        if self._handshake.state is State.OPEN:
            self._headers = _headers_of(self._handshake)
        else:
            self._is_refused = True
        if rest:
            self.feed(rest)


def _headers_of(handshake: ClientProtocol) -> dict[str, str]:
    (response,) = handshake.events_received()
    assert isinstance(response, Response)
    return {name.lower(): value.strip() for name, value in response.headers.raw_items()}
