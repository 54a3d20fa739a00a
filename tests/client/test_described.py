"""What a server nobody vouches for tells of its types: bounded in size and time."""

import contextlib
import gzip
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from openenv_lite.client.described import schemas_of
from openenv_lite.client.vector_plan import Place, VectorOptions, VectorPlan
from openenv_lite.errors import ConfigurationError, ConnectionFailedError

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
PACKED = gzip.compress(b" " * 50_000_000)
CHUNK = b"10000\r\n" + b" " * 65536 + b"\r\n"


def endless(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(CHUNK)


def slow(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"content-length: 1000000\r\n\r\n")
    gone = threading.Event()
    while not gone.wait(0.05):
        connection.sendall(b" ")


def packed(connection: socket.socket) -> None:
    told = b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(PACKED)
    connection.sendall(HEAD + told + PACKED)


@contextlib.contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """One that answers one request."""

    def serve() -> None:
        connection, _ = listening.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join(20)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        (endless, ConfigurationError, "tells more than 1,048,576 bytes"),
        (slow, ConnectionFailedError, "takes too long"),
        (packed, ConfigurationError, "tells no schemas"),
    ],
)
def test_a_hostile_server_costs_neither_memory_nor_time(
    answer: Callable[[socket.socket], None], error: type[Exception], told: str
) -> None:
    with server(answer) as url:
        options: VectorOptions = {"message_timeout_s": 0.5, "max_message_size_mb": 1.0}
        plan = VectorPlan.of(Place(url, None, None), 1, options)
        with pytest.raises(error, match=told):
            schemas_of(plan)
