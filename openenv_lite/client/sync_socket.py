"""The sync client's connection: a blocking socket of its own, and no thread.

Without a thread nobody answers the server's pings between two calls. A server that gives up on a
silent peer (uvicorn does after 40 s, unless told otherwise) then closes the connection; `loss`
notices before the next request goes out.
"""

import contextlib
import selectors
import ssl
import time
from collections.abc import Mapping

from websockets.exceptions import InvalidHandshake, InvalidURI
from websockets.uri import parse_uri

from openenv_lite.batches import Format
from openenv_lite.client.deadline import Deadline
from openenv_lite.client.frame_stream import FrameStream
from openenv_lite.client.target import Target
from openenv_lite.client.tcp import open_socket
from openenv_lite.client.transport import is_text
from openenv_lite.errors import ConnectionFailedError, ConnectionLostError

__all__ = ["SyncSocket"]

_CHUNK = 65536
_MAY_HAVE_CLOSED_S = 1.0
_NOTHING_YET = (TimeoutError, BlockingIOError, ssl.SSLWantReadError)


class SyncSocket:
    """A `SyncTransport` over a socket of its own."""

    def __init__(self, target: Target, form: Format | None = None) -> None:
        self._target = target
        self._form = form
        self._is_text = is_text(form)
        self._settings = target.settings
        self._timeout_s = target.settings.connect_timeout_s
        self._unanswered = 0
        self._heard = 0.0

    def connect(self, session: str | None) -> Mapping[str, str]:
        """See `SyncTransport`."""
        url = self._target.websocket_url(session)
        try:
            address = parse_uri(url)
            subprotocol = None if self._form is None else self._form.subprotocol
            self._stream = FrameStream(address, self._settings.max_message_bytes, subprotocol)
            with contextlib.ExitStack() as on_failure:
                self._socket = on_failure.enter_context(
                    open_socket(address, self._timeout_s, self._target.unix_path)
                )
                headers = self._shake_hands()
                on_failure.pop_all()
            return headers
        except (OSError, InvalidHandshake, InvalidURI) as error:
            raise ConnectionFailedError(f"Cannot connect to {url}: {error}") from error

    def loss(self) -> ConnectionLostError | None:
        """See `SyncTransport`."""
        idle = time.monotonic() - self._heard
        if idle > _MAY_HAVE_CLOSED_S:
            self._drain()
            interval = self._settings.websocket_ping_interval_s
            if interval is not None and idle > interval:
                self._ping()
        return None if self._stream.open or self._stream.frames else self._stream.loss

    def send(self, frame: bytes) -> None:
        """See `SyncTransport`."""
        self._stream.send(frame, self._is_text)
        self._flush()
        self._unanswered += 1

    def receive(self, timeout_s: float | None) -> bytes:
        """See `SyncTransport`."""
        if not self._stream.frames:
            self._receive(timeout_s)
        self._unanswered -= 1
        return self._stream.frames.popleft()

    def _receive(self, timeout_s: float | None) -> None:
        """Wait until there is a frame; most often the first read brings it."""
        deadline, left_s = Deadline(timeout_s), timeout_s
        while not self._stream.frames:
            if not self._stream.open:
                raise self._stream.loss
            self._read(left_s)
            left_s = deadline.left_s

    def close(self, wait_s: float) -> None:
        """See `SyncTransport`."""
        deadline = Deadline(wait_s)
        with contextlib.suppress(TimeoutError):
            while self._stream.open:
                self._read(deadline.left_s)
        self._stream.close()
        self._flush()
        self._socket.close()

    def _shake_hands(self) -> Mapping[str, str]:
        """Ask for the upgrade and return the headers of the response."""
        deadline = Deadline(self._settings.connect_timeout_s)
        self._stream.ask(self._settings.headers or {})
        self._flush()
        while (headers := self._stream.answer()) is None:
            self._read(deadline.left_s)
        return headers

    def _read(self, timeout_s: float | None) -> None:
        """Take what the socket has, waiting for it if need be; answers pings on the way.

        Raises:
            TimeoutError: Nothing came.
        """
        try:
            self._wait_at_most(timeout_s)
            data = self._socket.recv(_CHUNK)
        except _NOTHING_YET:
            raise TimeoutError("nothing came in time") from None
        except OSError:
            data = b""  # a reset is an end like any other
        self._heard = time.monotonic()
        self._stream.feed(data)
        self._flush()

    def _flush(self) -> None:
        """Send what is due. A broken connection is `_read`'s to tell, after what came before."""
        due = self._stream.due()
        if not due:
            return
        try:
            self._wait_at_most(self._settings.message_timeout_s)
            if self._unanswered > 0:
                self._send_while_reading(due)
            else:
                self._socket.sendall(due)
        except TimeoutError:
            self._stream.feed(b"")  # half a frame may have gone out: nothing can follow it
        except OSError:
            return

    def _send_while_reading(self, due: bytes) -> None:
        """Send to a peer that may read on only when we have read what it has answered before."""
        deadline = Deadline(self._settings.message_timeout_s)
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ | selectors.EVENT_WRITE)
            while due and self._stream.open:
                ready = selector.select(deadline.left_s)
                if not ready:
                    raise TimeoutError("the peer reads nothing")
                (_, events), *_ = ready
                if events & selectors.EVENT_READ:
                    self._take_in()
                if events & selectors.EVENT_WRITE:
                    due = due[self._socket.send(due) :]

    def _take_in(self) -> None:
        """Read what is there, and leave its sending for later."""
        with contextlib.suppress(*_NOTHING_YET):
            self._stream.feed(self._socket.recv(_CHUNK))

    def _wait_at_most(self, timeout_s: float | None) -> None:
        """Set how long the socket's calls may take; setting it is a system call."""
        if timeout_s != self._timeout_s:
            self._timeout_s = timeout_s
            self._socket.settimeout(timeout_s)

    def _drain(self) -> None:
        with contextlib.suppress(TimeoutError):
            while self._stream.open:
                self._read(0)

    def _ping(self) -> None:
        """Wait for a sign of life, and give the connection up where none comes."""
        deadline = Deadline(self._settings.websocket_ping_timeout_s)
        answered = self._stream.pongs
        try:
            self._stream.ping()
            self._flush()
            while self._stream.open and self._stream.pongs == answered:
                self._read(deadline.left_s)
        except TimeoutError:
            self._stream.feed(b"")
