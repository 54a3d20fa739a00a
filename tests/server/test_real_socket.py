"""What only a real server over a real socket can show: torn frames, resets, floods, a stop."""

import base64
import contextlib
import http.client
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from openenv_lite import create_app
from tests.environments import Awaiting, Inline, Threaded
from tests.server.serving import Served, serving

KINDS = [Inline, Threaded, Awaiting]
TEXT, CLOSE = 1, 8


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.__name__)
def running(request: pytest.FixtureRequest) -> Iterator[Served]:
    app = create_app(
        request.param, max_concurrent_envs=8, resume_grace_s=0.0, max_message_bytes=2_000_000
    )
    with serving(app) as running:
        yield running
        running.errors.clear()  # each test has judged its own


@pytest.fixture
def server(running: Served) -> Iterator[Served]:
    """The server, and after each test a look at what it left."""
    running.errors.clear()
    yield running
    eventually_empty(running)
    assert running.errors == []


def frame(payload: bytes, opcode: int = TEXT, fin: bool = True) -> bytes:
    """A client's frame, masked with zeros."""
    head = bytes([opcode | (0x80 if fin else 0)])
    if len(payload) < 126:
        size = bytes([0x80 | len(payload)])
    elif len(payload) < 65536:
        size = b"\xfe" + struct.pack("!H", len(payload))
    else:
        size = b"\xff" + struct.pack("!Q", len(payload))
    return head + size + bytes(4) + payload


def raw(server: Served) -> socket.socket:
    """A socket past the WebSocket handshake."""
    made = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    key = base64.b64encode(os.urandom(16)).decode()
    made.sendall(
        f"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += made.recv(1)
    assert b" 101 " in answer.splitlines()[0]
    return made


def reset_connection(victim: socket.socket) -> None:
    """End it as a crashed machine does: no FIN, an RST."""
    victim.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    victim.close()


def ask(client: ClientConnection, kind: str, data: Any = None) -> Any:
    client.send(json.dumps({"type": kind} if data is None else {"type": kind, "data": data}))
    return json.loads(client.recv(timeout=10))


def eventually_empty(server: Served) -> None:
    deadline = time.monotonic() + 10
    kind = server.app.state.server.blueprint.kind
    name = f"openenv-{kind.__name__}"
    while server.statistics.active or any(t.name == name for t in threading.enumerate()):
        assert time.monotonic() < deadline, (server.statistics, threading.enumerate())
        time.sleep(0.005)
    assert not kind.alive


RESET = frame(b'{"type":"reset"}')
STEP = frame(b'{"type":"step","data":{"amount":0}}')
GOODBYE = frame(b'{"type":"close"}')
RESETS, CLOSES, WAITS = "resets", "closes", "waits"
RUDE: dict[str, tuple[bytes, str]] = {
    "nothing, then a reset": (b"", RESETS),
    "nothing, then an end": (b"", CLOSES),
    "a reset mid-step": (RESET + STEP * 50, RESETS),
    "half a frame": (RESET + STEP[: len(STEP) // 2], RESETS),
    "half a header": (STEP[:1], CLOSES),
    "half a message": (frame(b'{"type":', fin=False), CLOSES),
    "invalid UTF-8": (RESET + frame(b"\xff\xfe"), WAITS),
    "unmasked": (b"\x81\x02{}", WAITS),
    "an unknown opcode": (frame(b"x", 5), WAITS),
    "a size of 2**62": (b"\x81\xff" + struct.pack("!Q", 2**62) + bytes(4), WAITS),
    "no WebSocket at all": (bytes(range(256)) * 16, WAITS),
    "a close of one byte": (frame(b"\x03", CLOSE), WAITS),
    "a close of a forbidden code": (frame(struct.pack("!H", 1005), CLOSE), WAITS),
    "a close without a code": (RESET + frame(b"", CLOSE), WAITS),
    "a close twice": (frame(struct.pack("!H", 1000), CLOSE) * 2, WAITS),
    "goodbye and a reset": (GOODBYE, RESETS),
    "goodbye and more": (GOODBYE + STEP * 20, WAITS),
}


@pytest.mark.parametrize("rudeness", RUDE)
def test_a_rude_client_leaves_nothing_and_disturbs_nobody(server: Served, rudeness: str) -> None:
    with connect(server.ws()) as polite:
        ask(polite, "reset")
        for _ in range(3):
            _misbehave(raw(server), *RUDE[rudeness])
        assert ask(polite, "step", {"amount": 1})["data"]["observation"]["total"] == 1


def _misbehave(victim: socket.socket, wire: bytes, then: str) -> None:
    with contextlib.suppress(OSError), victim:
        victim.sendall(wire)
        if then is RESETS:
            reset_connection(victim)
        elif then is WAITS:
            victim.settimeout(0.2)
            while victim.recv(65536):
                pass


@settings(max_examples=25)
@given(st.lists(st.binary(max_size=60) | st.sampled_from([RESET, STEP]), max_size=6), st.booleans())
def test_any_bytes_on_the_wire_leave_nothing(
    running: Served, pieces: list[bytes], abrupt: bool
) -> None:
    victim = raw(running)
    with contextlib.suppress(OSError):
        victim.sendall(b"".join(pieces))
        if abrupt:
            reset_connection(victim)
    victim.close()
    eventually_empty(running)
    assert running.errors == []


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("[" * 100_000 + "]" * 100_000, "INVALID_JSON"),
        ('{"a":' * 100_000, "INVALID_JSON"),
        ('{"type":"reset","data":{"a":"' + "x" * 20_000_000 + '"}}', "MESSAGE_TOO_LARGE"),
        (b"\x00" * 1_000_000, "INVALID_JSON"),
        ("9" * 1_000_000, "INVALID_JSON"),
    ],
    ids=["deep list", "deep object", "20 MB", "binary", "a long number"],
)
def test_an_excessive_message_costs_an_error_never_the_episode(
    server: Served, message: str | bytes, code: str
) -> None:
    with connect(server.ws()) as client:
        ask(client, "reset")
        ask(client, "step", {"amount": 1})
        client.send(message)
        assert json.loads(client.recv(timeout=20))["data"]["code"] == code
        assert ask(client, "step", {"amount": 1})["data"]["observation"]["total"] == 2


def test_fragments_and_pings_are_put_together(server: Served) -> None:
    with connect(server.ws()) as client:
        client.send(['{"type"', ':"re', 'set"}'])
        client.ping()
        assert json.loads(client.recv(timeout=10))["type"] == "observation"


def test_a_header_cannot_be_split_through_a_session_id(server: Served) -> None:
    with (
        contextlib.suppress(ConnectionClosed),
        connect(server.ws("/ws?session_id=a%0d%0aX-Evil:%201")) as client,
    ):
        assert client.response is not None
        assert "X-Evil" not in client.response.headers
        assert json.loads(client.recv(timeout=10))["data"]["code"] == "SESSION_ERROR"


def test_a_client_that_reads_nothing_disturbs_nobody(server: Served) -> None:
    slow = raw(server)
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.settimeout(0.3)
    echo = frame(b'{"type":"step","data":{"more":"' + b"x" * 100_000 + b'"}}')
    with contextlib.suppress(OSError):
        for _ in range(100):
            slow.sendall(echo)
    with connect(server.ws()) as client:
        assert ask(client, "reset")["type"] == "observation"
    reset_connection(slow)
    eventually_empty(server)


@settings(max_examples=25)
@given(st.binary(max_size=300))
def test_any_bytes_over_http_are_no_server_error(running: Served, body: bytes) -> None:
    client = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
    with contextlib.closing(client):
        for path in ("/reset", "/step", "/mcp"):
            client.request("POST", path, body)
            reply = client.getresponse()
            assert (reply.status < 500, reply.read()[:1]) == (True, b"{")
    assert running.errors == []


def test_goodbye_is_answered_by_a_close(server: Served) -> None:
    for _ in range(5):
        with connect(server.ws()) as client:
            ask(client, "reset")
            client.send('{"type":"close"}')
            with pytest.raises(ConnectionClosed) as caught:
                client.recv(timeout=10)
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1000


@pytest.mark.parametrize("kind", KINDS)
def test_a_stop_mid_conversation_closes_everything(kind: Any) -> None:
    with (
        serving(create_app(kind, max_concurrent_envs=4)) as server,
        contextlib.ExitStack() as open_,
    ):
        for _ in range(3):
            client = open_.enter_context(connect(server.ws()))
            ask(client, "reset")
        httpx.post(
            f"{server.http}/mcp",
            json={"jsonrpc": "2.0", "id": 1, "method": "openenv/session/create"},
        )
        assert server.statistics.active == 4
        server.stop()
    assert not kind.alive


def test_a_stop_mid_step_cancels_what_is_async_and_waits_for_a_thread(gate: None) -> None:
    for kind in (Awaiting, Threaded):
        with serving(create_app(kind)) as server, connect(server.ws()) as client:
            ask(client, "reset")
            client.send('{"type":"step","data":{"amount":-1}}')
            if kind is Threaded:
                assert Threaded.entered.wait(10)
                threading.Timer(0.2, Threaded.gate.set).start()
            else:
                time.sleep(0.05)
            server.stop()
        assert not kind.alive
    assert Awaiting.cancelled == [-1]


def test_a_step_that_never_ends_does_not_keep_a_server_from_stopping(gate: None) -> None:
    app = create_app(Threaded, close_timeout_s=0.2)
    with serving(app, timeout_graceful_shutdown=1) as server, connect(server.ws()) as client:
        ask(client, "reset")
        client.send('{"type":"step","data":{"amount":-1}}')
        assert Threaded.entered.wait(10)
        server.stop(patience_s=10)
        server.errors.clear()  # uvicorn tells that it gave up, and so do we
        Threaded.gate.set()
