"""The straight way through uvicorn's HTTP protocol: to app and peer it is no other."""

import asyncio
import contextvars
import gc
import logging
import weakref
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from openenv_lite.server.uvicorn_http import StraightHttp
from tests.frame_streams import pieces
from tests.server.protocols import Wire, begun, fed, rest

NOTED: contextvars.ContextVar[str] = contextvars.ContextVar("NOTED", default="nothing")


class App:
    """Answers by its path: at once, by an app, only when it is called, late, or with an error.

    `served` is what it answered, `straight` how often that was at once; `notes` what it then found
    noted in the context.
    """

    def __init__(self) -> None:
        self.served: list[tuple[str, str, bytes]] = []
        self.straight = 0
        self.notes: list[str] = []
        self.goes_on = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message["more_body"]:
                await self._tell(scope, body, send)
                return

    async def _tell(self, scope: Any, body: bytes, send: Any) -> None:
        if scope["path"] == "/broken":
            raise ValueError("the app is broken")
        if scope["path"] == "/slow":
            await self.goes_on.wait()
        for each in self._response(scope, body):
            await send(each)

    def at_once(self, scope: Any, body: bytes) -> Any:
        if scope["path"] in ("/called", "/slow") or scope["method"] != "POST":
            return None
        if scope["path"] == "/broken":
            raise ValueError("the app is broken")
        self.straight += 1
        self.notes.append(NOTED.get())
        NOTED.set(f"request {self.straight}")
        return self if scope["path"] == "/later" else self._response(scope, body)

    def _response(self, scope: Any, body: bytes) -> tuple[Any, Any]:
        told = f"{scope['method']} {scope['path']} {len(body)}".encode()
        self.served.append((scope["method"], scope["path"], body))
        headers = [(b"content-length", b"%d" % len(told)), (b"x-app", b"yes")]
        start = {"type": "http.response.start", "status": 207, "headers": headers}
        return start, {"type": "http.response.body", "body": told}


class Outcome(NamedTuple):
    """What came of a conversation."""

    served: list[tuple[str, str, bytes]]
    wrote: bytes
    is_closing: bool


async def conversation(kind: Any, chunks: list[bytes], app: App) -> Outcome:
    """What comes of the chunks."""
    wire = Wire()
    protocol: Any = begun(kind, app, wire)
    await fed(protocol, wire, chunks)
    assert not protocol.tasks
    return Outcome(app.served, wire.wrote, wire.is_closing())


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """uvicorn logs whatever the app raises, and no access."""
    access = logging.getLogger("uvicorn.access")
    handlers, propagate = access.handlers, access.propagate
    caplog.set_level(logging.CRITICAL, "uvicorn.error")
    yield
    access.handlers, access.propagate = handlers, propagate


def request(
    path: str = "/now",
    body: bytes = b"body",
    *headers: str,
    method: str = "POST",
    http: str = "1.1",
) -> bytes:
    lines = [f"{method} {path} HTTP/{http}", "Host: h", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(path: str, *parts: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (*parts, b""))


paths = st.sampled_from(["/now", "/now", "/later", "/called", "/broken", "/now?query=1"])
headers = st.sampled_from(
    [(), (), (), ("Connection: close",), ("Connection: keep-alive",), ("Expect: 100-continue",)]
)
any_request = st.one_of(
    st.builds(
        lambda path, body, more, method, http: request(path, body, *more, method=method, http=http),
        paths,
        st.binary(max_size=60),
        headers,
        st.sampled_from(["POST", "POST", "POST", "GET", "HEAD", "DELETE"]),
        st.sampled_from(["1.1", "1.1", "1.1", "1.0"]),
    ),
    st.builds(
        lambda path, parts: chunked(path, *filter(None, parts)),
        paths,
        st.lists(st.binary(max_size=30), max_size=3),
    ),
)


@example([request() + request("/now", b"2") + request("/later", b"3")], [])
@example([request("/now", b"1", "Connection: close") + request("/now", b"2")], [])
@example([request("/now", b"1", "Expect: 100-continue")], [40])
@example([request("/now", b"1", http="1.0")], [])
@example([request("/later", b"1") + request("/now", b"2")], [30])
@example([request("/broken", b"1") + request("/now", b"2")], [])
@example(
    [request(), request("/now", b"", "Connection: keep-alive", http="1.0"), request()],
    [len(request())],
)
@example([chunked("/now", b"one", b"two")], [90, 3])
@example([request("/now", b"", method="HEAD")], [])
@given(st.lists(any_request, max_size=4), st.lists(st.integers(1, 120), max_size=6))
def test_to_app_and_peer_it_is_uvicorns_own(requests: list[bytes], sizes: list[int]) -> None:
    async def both() -> list[Outcome]:
        chunks = pieces(b"".join(requests), sizes)
        return [
            await conversation(kind, chunks, App()) for kind in (StraightHttp, HttpToolsProtocol)
        ]

    ours, theirs = asyncio.run(both())
    assert ours == theirs


@given(st.binary(max_size=200), st.lists(st.integers(1, 60), max_size=3), st.booleans())
def test_any_bytes_are_answered_or_end_the_connection(
    data: bytes, sizes: list[int], is_in_a_request: bool
) -> None:
    stream = request()[:-20] + data if is_in_a_request else data
    outcome = asyncio.run(conversation(StraightHttp, pieces(stream, sizes), App()))
    assert not outcome.wrote or outcome.wrote.startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize(
    ("chunks", "straight"),
    [
        ([request()], 1),
        ([request("/later")], 1),
        ([request()] * 3, 3),
        ([request() * 3], 1),  # one, and then others have a turn
        ([request()[:-2], b"dy"], 0),
        ([request("/now", b"body", "Expect: 100-continue")], 0),
    ],
)
def test_what_came_whole_is_answered_at_once(chunks: list[bytes], straight: int) -> None:
    app = App()
    outcome = asyncio.run(conversation(StraightHttp, chunks, app))
    assert app.straight == straight
    assert outcome.wrote.count(b"HTTP/1.1 207") == b"".join(chunks).count(b"POST ")


def test_what_is_noted_for_a_request_ends_with_it() -> None:
    app = App()
    asyncio.run(conversation(StraightHttp, [request()] * 3, app))
    assert app.notes == ["nothing"] * 3


@pytest.mark.parametrize("options", [{"limit_concurrency": 100}, {"access_log": True}])
def test_what_uvicorn_is_asked_to_watch_goes_its_own_way(options: dict[str, Any]) -> None:
    async def asked() -> App:
        app, wire = App(), Wire()
        protocol: Any = begun(StraightHttp, app, wire, **options)
        assert protocol.access_log is ("access_log" in options)
        await fed(protocol, wire, [request()])
        return app

    app = asyncio.run(asked())
    assert (len(app.served), app.straight) == (1, 0)


def test_a_peer_that_reads_nothing_is_waited_for() -> None:
    async def asked() -> tuple[int, bytes]:
        app, wire = App(), Wire()
        protocol: Any = begun(StraightHttp, app, wire)
        protocol.pause_writing()
        protocol.data_received(request())
        await rest()
        before = wire.wrote
        protocol.resume_writing()
        await rest()
        assert wire.wrote
        protocol.connection_lost(None)
        return app.straight, before

    assert asyncio.run(asked()) == (0, b"")


async def one(app: Any, **options: Any) -> bytes:
    """What comes back to a client that asks once and leaves."""
    wire = Wire()
    await fed(begun(StraightHttp, app, wire, **options), wire, [request()])
    return wire.wrote


class Derived(App):
    """Has a word to say before."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await super().__call__(scope, receive, send)


class Wrapper:
    """Says no, and passes on what else is asked of it."""

    def __init__(self, app: App) -> None:
        self.app = app

    def __getattr__(self, name: str) -> Any:
        return getattr(self.app, name)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        told = {"status": 401, "headers": [(b"content-length", b"0")]}
        await send({"type": "http.response.start", **told})
        await send({"type": "http.response.body", "body": b""})


async def function(scope: Any, receive: Any, send: Any) -> None:
    await App()(scope, receive, send)


@pytest.mark.parametrize(
    ("app", "status"), [(function, b"207"), (Wrapper(App()), b"401"), (Derived(), b"207")]
)
def test_who_stands_before_the_app_is_called(app: Any, status: bytes) -> None:
    assert asyncio.run(one(app)).startswith(b"HTTP/1.1 " + status)
    assert getattr(app, "straight", 0) == 0


named = App()


def test_an_app_that_is_named_is_found_behind_uvicorns_own_wrapper() -> None:
    asyncio.run(one(f"{__name__}:named"))
    assert named.straight == 1


@pytest.mark.parametrize("first", ["/now", "/called"])
def test_a_request_under_way_is_no_idle_connection(first: str) -> None:
    async def asked() -> bytes:
        app, wire = App(), Wire()
        protocol: Any = begun(StraightHttp, app, wire, timeout_keep_alive=0)
        protocol.data_received(request(first) + request("/slow"))
        for _ in range(5):  # the timer would be over
            await asyncio.sleep(0.001)
        assert not wire.is_closing()
        app.goes_on.set()
        await rest()
        protocol.connection_lost(None)
        return wire.wrote

    assert asyncio.run(asked()).count(b"HTTP/1.1 207") == 2


def test_an_empty_context_is_empty() -> None:
    app = App()
    NOTED.set("something of the server")
    try:
        asyncio.run(one(app, reset_contextvars=True))
        asyncio.run(one(app))
    finally:
        NOTED.set("nothing")
    assert app.notes == ["nothing", "something of the server"]


@pytest.mark.parametrize("path", ["/now", "/later", "/called", "/broken"])
def test_a_connection_leaves_nothing_for_the_collector(path: str) -> None:
    async def left() -> Any:
        wire = Wire()
        protocol: Any = begun(StraightHttp, App(), wire)
        await fed(protocol, wire, [request(path)])
        protocol._unset_keepalive_if_required()
        return weakref.ref(protocol)

    async def asked() -> Any:
        gc.disable()
        try:
            found = await left()
            await rest()
            return found()
        finally:
            gc.enable()

    assert asyncio.run(asked()) is None
