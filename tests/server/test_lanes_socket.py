"""Lanes over a real socket: torn connections, fairness, what a server is left with."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from openenv_lite import create_app
from openenv_lite.batches import (
    JSON,
    MSGPACK,
    Cancel,
    Close,
    Format,
    Open,
    ReadState,
    Receive,
    Reset,
)
from tests.environments import Add, Awaiting, Count, Inline, Threaded
from tests.server.serving import Served, serving
from tests.server.test_lanes import FORMS, totals
from tests.vector.speaking import REPLY, adding

KINDS = [Inline, Threaded, Awaiting]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.__name__)
def running(request: pytest.FixtureRequest) -> Iterator[Served]:
    with serving(create_app(request.param, max_concurrent_envs=40, resume_grace_s=0.0)) as running:
        yield running


@pytest.fixture
def server(running: Served) -> Iterator[Served]:
    """The server, and after each test a look at what it left."""
    yield running
    eventually(lambda: running.statistics.active == 0)
    eventually(lambda: not _threads_of(running))
    assert running.errors == []


def _threads_of(server: Served) -> list[str]:
    name = f"openenv-{server.app.state.server.blueprint.kind.__name__}"
    return [thread.name for thread in threading.enumerate() if thread.name == name]


def eventually(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.005)


class Client:
    """A connection of a blocking client."""

    def __init__(self, wire: ClientConnection, form: Format) -> None:
        self.wire = wire
        self.form = form
        self._decode = form.decoder(REPLY)

    def post(self, *requests: Any) -> None:
        for each in requests:
            frame = self.form.encode(each)
            self.wire.send(frame.decode() if self.form.is_text else frame)

    def hear(self) -> Any:
        return self._decode(self.wire.recv(timeout=10))

    def want(self, request: Any) -> Any:
        self.post(request)
        reply = self.hear()
        assert reply.id == request.id
        return reply


@contextlib.contextmanager
def speaking(server: Served, form: Format) -> Iterator[Client]:
    with connect(server.ws(), subprotocols=[Subprotocol(form.subprotocol)]) as wire:
        assert wire.subprotocol == form.subprotocol
        yield Client(wire, form)


def tear(client: Client) -> None:
    """End the connection as a crashed machine does: no FIN, an RST."""
    wire = client.wire.socket
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.shutdown(socket.SHUT_RDWR)
    wire.close()


@FORMS
def test_an_exchange(server: Served, form: Format) -> None:
    with speaking(server, form) as client:
        assert client.want(Open(id=1, count=32)).lanes == [*range(32)]
        assert totals(client.want(Reset(id=2))) == [0] * 32
        assert totals(client.want(adding(*[1] * 32, identity=3))) == [1] * 32
        first = client.want(adding(*[1] * 32, identity=4, wait=20))
        rest = client.want(Receive(id=5, wait=12))
        assert sorted(first.lanes + rest.lanes) == [*range(32)]
        assert len(client.want(ReadState(id=6)).states) == 32
        assert client.want(Close(id=7, lanes=[0])).lanes == [0]
        assert server.statistics.active == 31


@FORMS
@pytest.mark.parametrize("end", ["leave", "tear"])
@pytest.mark.parametrize(
    "sent",
    [
        [Open(id=1, count=30)],
        [Open(id=1, count=5), Cancel(id=1), Open(id=2, count=5)],
        [Open(id=1, count=5), Reset(id=2), adding(1, 1, lanes=[0, 1], identity=3)],
    ],
    ids=["opening", "cancelling", "playing"],
)
def test_a_client_gone_in_the_middle_of_what_it_asked(
    server: Served, sent: list[Any], end: str, form: Format
) -> None:
    with contextlib.suppress(OSError, ConnectionClosed), speaking(server, form) as client:
        client.post(*sent)
        if end == "tear":
            tear(client)


@FORMS
@settings(max_examples=10)
@given(
    pause=st.floats(0, 0.01),
    end=st.sampled_from(["leave", "tear"]),
    count=st.integers(1, 20),
    wait=st.none() | st.just(1),
)
def test_a_client_gone_at_any_moment(
    running: Served, pause: float, end: str, count: int, wait: int | None, form: Format
) -> None:
    with contextlib.suppress(OSError, ConnectionClosed), speaking(running, form) as client:
        client.want(Open(id=1, count=count))
        client.post(Reset(id=2), *(adding(*[1] * count, identity=n) for n in range(3, 9)))
        client.post(adding(*[1] * count, identity=9, wait=wait), Close(id=10, lanes=[0]))
        time.sleep(pause)
        if end == "tear":
            tear(client)
    eventually(lambda: running.statistics.active == 0)
    assert running.errors == []


def test_a_torn_connection_is_taken_up_again_with_its_episodes() -> None:
    app = create_app(Threaded, max_concurrent_envs=8, resume_grace_s=20.0)
    with serving(app) as server:
        with contextlib.suppress(OSError, ConnectionClosed), speaking(server, MSGPACK) as client:
            sessions = client.want(Open(id=1, count=4)).sessions
            client.want(Reset(id=2))
            client.want(adding(0, 1, 2, 1, identity=3))
            tear(client)
        with speaking(server, JSON) as again:
            assert again.want(Open(id=1, sessions=sessions)).sessions == sessions
            assert totals(again.want(adding(0, 0, 0, 1, identity=2))) == [0, 1, 2, 2]
            assert server.statistics.opened == 4


class Busy(Inline):
    """A step holds the event loop for a millisecond."""

    def step(self, action: Add, bonus: int = 0) -> Any:
        until = time.perf_counter() + 0.001
        while time.perf_counter() < until:
            pass
        return Count(total=action.amount)


def test_a_thousand_steps_of_a_millisecond_let_others_be_served() -> None:
    count = 1024
    app = create_app(Busy, max_concurrent_envs=count + 1)
    with (
        serving(app) as server,
        connect(server.ws()) as scalar,
        speaking(server, MSGPACK) as client,
        ThreadPoolExecutor(1) as others,
    ):
        client.want(Open(id=1, count=count))
        client.want(Reset(id=2))
        client.post(adding(*[1] * count, identity=3))
        batch = others.submit(client.hear)
        served = 0
        while not batch.done():
            scalar.send('{"type": "state"}')
            scalar.recv(timeout=10)
            served += 1
        assert totals(batch.result()) == [1] * count
    # The client's threads want the interpreter too. Where nobody gives way it is one or two.
    assert served > 5
