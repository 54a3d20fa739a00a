"""The sync client's connection over TCP and TLS: a blocking socket of its own, and no thread.

Without a thread nobody answers the server's pings between two calls. A server that gives up on a
silent peer (uvicorn does after 40 s, unless told otherwise) then closes the connection; `alive`
notices before the next request goes out.
"""

import contextlib
import socket
import ssl
import time
from collections.abc import Mapping

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidURI
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import WebSocketURI, parse_uri

from openenv_lite.client.inbox import lost
from openenv_lite.client.target import Target
from openenv_lite.errors import ConnectionFailedError

__all__ = ["SyncSocket"]

_CHUNK = 65536
_MAY_HAVE_CLOSED_S = 1.0
_NOTHING_YET = (TimeoutError, BlockingIOError, ssl.SSLWantReadError)


class SyncSocket:
    """A `SyncTransport` over a socket of its own."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._settings = target.settings
        self._frames: list[bytes] = []
        self._parts: list[bytes] = []
        self._response: Response | None = None
        self._heard = self._ponged = 0.0

    def connect(self, session: str | None) -> Mapping[str, str]:
        """See `SyncTransport`."""
        url = self._target.websocket_url(session)
        try:
            address = parse_uri(url)
            self._protocol = ClientProtocol(address, max_size=self._settings.max_message_bytes)
            self._socket = self._open(address)
            return self._shake_hands()
        except (OSError, InvalidHandshake, InvalidURI) as error:
            raise ConnectionFailedError(f"Cannot connect to {url}: {error}") from error

    def alive(self) -> bool:
        """See `SyncTransport`."""
        idle = time.monotonic() - self._heard
        if idle > _MAY_HAVE_CLOSED_S:
            self._drain()
            interval = self._settings.websocket_ping_interval_s
            if self._open_still and interval is not None and idle > interval:
                self._ping()
        return self._open_still or bool(self._frames)

    def send(self, frame: bytes) -> None:
        """See `SyncTransport`."""
        if self._open_still:
            self._protocol.send_text(frame)
            self._flush()

    def receive(self, timeout_s: float | None) -> bytes:
        """See `SyncTransport`."""
        if not self._frames:
            deadline = _deadline(timeout_s)
            self._take_in(timeout_s)
            while not self._frames:
                self._take_in(_left(deadline))
        return self._frames.pop(0)

    def close(self, wait_s: float) -> None:
        """See `SyncTransport`."""
        deadline = _deadline(wait_s)
        with contextlib.suppress(TimeoutError):
            while self._open_still:
                self._read(_left(deadline))
        if self._open_still:
            self._protocol.send_close(CloseCode.NORMAL_CLOSURE)
            self._flush()
        self._socket.close()

    @property
    def _open_still(self) -> bool:
        return self._protocol.state is State.OPEN

    def _open(self, address: WebSocketURI) -> socket.socket:
        opened = socket.create_connection(
            (address.host, address.port), self._settings.connect_timeout_s
        )
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if address.secure:
            context = ssl.create_default_context()
            return context.wrap_socket(opened, server_hostname=address.host)
        return opened

    def _shake_hands(self) -> Mapping[str, str]:
        """Ask for the upgrade and return the response's headers; close the socket on refusal."""
        with contextlib.ExitStack() as on_refusal:
            on_refusal.callback(self._socket.close)
            hello = self._protocol.connect()
            hello.headers.update(self._settings.headers or {})
            self._protocol.send_request(hello)
            self._flush()
            deadline = _deadline(self._settings.connect_timeout_s)
            while self._response is None and self._protocol.handshake_exc is None:
                self._read(_left(deadline))
            if self._protocol.handshake_exc is not None:
                raise self._protocol.handshake_exc
            on_refusal.pop_all()
        assert self._response is not None
        headers = self._response.headers.raw_items()
        return {name.lower(): value.strip() for name, value in headers}

    def _take_in(self, timeout_s: float | None) -> None:
        """Read, or raise where the connection has ended."""
        if self._open_still:
            self._read(timeout_s)
            return
        closing = self._protocol.close_rcvd or self._protocol.close_sent
        code = closing.code if closing else CloseCode.ABNORMAL_CLOSURE
        raise lost(int(code), closing.reason if closing else "")

    def _read(self, timeout_s: float | None) -> None:
        """Take what the socket has, waiting for it if need be; answers pings on the way.

        Raises:
            TimeoutError: Nothing came.
        """
        try:
            self._socket.settimeout(timeout_s)
            data = self._socket.recv(_CHUNK)
        except _NOTHING_YET:
            raise TimeoutError from None
        except OSError:
            data = b""
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        self._heard = time.monotonic()
        self._flush()
        for event in self._protocol.events_received():
            self._sort(event)

    def _sort(self, event: object) -> None:
        if isinstance(event, Response):
            self._response = event
        elif isinstance(event, Frame):
            if event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self._gather(event)
            elif event.opcode is Opcode.PONG:
                self._ponged = self._heard

    def _gather(self, frame: Frame) -> None:
        if frame.fin and not self._parts:
            self._frames.append(bytes(frame.data))
            return
        self._parts.append(bytes(frame.data))
        if frame.fin:
            self._frames.append(b"".join(self._parts))
            self._parts.clear()

    def _drain(self) -> None:
        with contextlib.suppress(TimeoutError):
            while self._open_still:
                self._read(0)

    def _ping(self) -> None:
        """Wait for a sign of life, and give the connection up where none comes."""
        asked = time.monotonic()
        deadline = _deadline(self._settings.websocket_ping_timeout_s)
        self._protocol.send_ping(b"")
        self._flush()
        try:
            while self._open_still and self._ponged < asked:
                self._read(_left(deadline))
        except TimeoutError:
            self._protocol.receive_eof()

    def _flush(self) -> None:
        """Send what is due. A broken connection is `_read`'s to tell, after what came before."""
        due = b"".join(self._protocol.data_to_send())
        if not due:
            return
        try:
            self._socket.settimeout(self._settings.message_timeout_s)
            self._socket.sendall(due)
        except TimeoutError:
            self._protocol.receive_eof()  # half a frame may have gone out
        except OSError:
            return


def _deadline(timeout_s: float | None) -> float | None:
    return None if timeout_s is None else time.monotonic() + timeout_s


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
