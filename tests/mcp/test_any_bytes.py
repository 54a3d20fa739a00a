"""Whatever bytes come to `/mcp`: a well-formed answer, in time, and nothing is left behind."""

import asyncio
import contextlib
import http.client
from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from websockets.sync.client import ClientConnection, connect

from openenv_lite import Context, MCPEnvironment, create_app
from openenv_lite.conversation.service import Service
from openenv_lite.server.app import HTTPEnvServer
from openenv_lite.server.guard import Guard
from openenv_lite.server.mcp import McpEndpoint
from openenv_lite.server.uvicorn_http import StraightHttp
from tests.leaks import settled
from tests.mcp.mangling import FRAMES, SESSION, Request, may_last, requests
from tests.mcp.posting import META, Client, Reply, exchange
from tests.peer import Peer
from tests.server.serving import Served, serving

LIMIT_S = 10
LINE_S = 0.05
"""For a call behind one that waits for its client's word, which may last as long as that."""
LIMIT = 100_000
DOCUMENTED = {200, 202, 400, 403, 404, 405, 406, 413, 415, 421}
METHODS = ("GET", "GET", "DELETE", "PUT", "HEAD", "OPTIONS", "PATCH")
INTERNAL = -32603
"""No request may bring this about in an environment that itself never fails."""
NO_HTTP = b"Invalid HTTP request received."
"""What uvicorn itself says; such a request never reaches an app."""

MANY = settings(max_examples=5 * settings().max_examples)
EVERY_MODE = pytest.mark.parametrize("mode", ["simulation", "production"])


class Name(Struct):
    """Who somebody is."""

    name: str


class Specimen(MCPEnvironment):
    """A little of everything that `/mcp` can reach. `alive` holds the instances there are."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    alive: ClassVar[list["Specimen"]] = []

    def __init__(self) -> None:
        Specimen.alive.append(self)
        self.tool(shout)
        self.tool(tell)
        self.tool(ask)
        self.tool(input_schema=ROUTED)(route)
        self.resource("note://total")(total)
        self.resource("page://{number}")(page)
        self.prompt(complete={"text": ["a", "b"]})(hello)

    def close(self) -> None:
        """Ends the life of this one."""
        Specimen.alive.remove(self)


ROUTED = {
    "type": "object",
    "properties": {"text": {"type": "string", "x-mcp-header": "Region"}},
}


def shout(text: str = "hey") -> str:
    """Answers in capitals, on the thread of its session."""
    return text.upper()


async def tell(context: Context, text: str = "hey") -> str:
    """Says something before it answers."""
    context.progress(1, 2)
    context.log(text)
    await asyncio.sleep(0)
    return text


async def ask(context: Context) -> str:
    """Asks twice."""
    first = await context.elicit("Who?", Name)
    second = await context.elicit("And who else?", Name)
    return f"{first.action} {second.action}"


def route(**arguments: Any) -> str:
    """Has an argument that a header repeats."""
    return "routed"


def total() -> str:
    """A note."""
    return "0"


def page(number: int) -> str:
    """A page."""
    return str(number)


def hello(text: str = "") -> str:
    """A prompt."""
    return text


def check(request: Request, reply: Reply) -> None:
    """Fail unless the reply is one that the documents know."""
    told = f"{request}\n{reply}"
    assert reply.status in DOCUMENTED, told
    if reply.status == 202:
        assert reply.body == b"", told
    elif reply.status == 405:
        assert "POST" in reply.headers["allow"], told
    elif reply.headers.get("content-type") == "text/event-stream":
        assert reply.status == 200, told
        for message in reply.messages:
            check_message(message)
    elif (request.method, reply.status) != ("DELETE", 200):
        answer = msgspec.json.decode(reply.body)
        for message in answer if isinstance(answer, list) else [answer]:
            check_answer(message)
        check_identity(request.body, answer, told)


def check_message(message: Any) -> None:
    """Fail unless it is a message that a server may send ahead of an answer, or an answer."""
    if "method" not in message:
        check_answer(message)
        return
    assert message["jsonrpc"] == "2.0"
    assert isinstance(message["method"], str)
    assert isinstance(message["params"], dict)


def check_answer(message: Any) -> None:
    """Fail unless it is a JSON-RPC result or error."""
    assert message["jsonrpc"] == "2.0"
    assert ("result" in message) != ("error" in message), message
    assert isinstance(message.get("id"), int | str | None), message
    if "error" in message:
        assert isinstance(message["error"]["code"], int)
        assert message["error"]["code"] != INTERNAL, message
        assert message["error"]["message"]
        assert {*message["error"]} <= {"code", "message", "data"}


def check_identity(body: bytes, answer: Any, told: str) -> None:
    """Fail if the answer to a request is an answer to another one."""
    try:
        message = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return  # what a peer may still have read of it is not for this decoder to say
    identity = message.get("id") if isinstance(message, dict) else None
    if not isinstance(identity, int | str) or isinstance(identity, bool):
        identity = None
    assert not isinstance(answer, dict) or answer.get("id") in (identity, None), told


def with_session(request: Request, session: str) -> Request:
    fields = [(name, value.replace(SESSION, session.encode())) for name, value in request.fields]
    return request._replace(fields=fields)


class Visit:
    """One request to an ASGI app on this loop; a stream that may last is left once it is silent."""

    def __init__(
        self, request: Request, leaves_at_once: bool = False, stands_in_line: bool = False
    ) -> None:
        self._request = request
        self._leaves_at_once = leaves_at_once
        self._stands_in_line = stands_in_line
        self._status = 0
        self._headers: dict[str, str] = {}
        self._body = b""
        self._gone = asyncio.Event()
        self._begun = asyncio.Event()
        self._to_app = [{"type": "http.request", "body": request.body, "more_body": False}]

    async def run(self, app: Any) -> Reply:
        task = asyncio.create_task(app(self._scope(), self._receive, self._send))
        if self._leaves_at_once:
            self._gone.set()
        elif self._stands_in_line:
            await asyncio.wait({task}, timeout=LINE_S)
            self._gone.set()
        elif self._request.method == "GET" or may_last(self._request.body):
            begun = asyncio.create_task(self._begun.wait())
            await asyncio.wait({task, begun}, timeout=LIMIT_S, return_when="FIRST_COMPLETED")
            begun.cancel()
            await asyncio.wait({task}, timeout=0.01)
            self._gone.set()
        await asyncio.wait_for(task, LIMIT_S)
        return Reply(self._status, self._headers, self._body)

    async def _receive(self) -> Any:
        if self._to_app:
            return self._to_app.pop()
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self._headers = {k.decode().lower(): v.decode() for k, v in message["headers"]}
            self._status = message["status"]
            self._begun.set()
        else:
            self._body += message.get("body", b"")

    def _scope(self) -> dict[str, Any]:
        return {
            "type": "http",
            "method": self._request.method,
            "path": "/mcp",
            "root_path": "",
            "scheme": "http",
            "query_string": self._request.query[1:].encode(),
            "headers": [
                (b"host", b"localhost"),
                *((name.encode(), value) for name, value in self._request.fields),
            ],
            "server": ("127.0.0.1", 80),
        }


async def begin(app: Any, revision: str) -> str:
    """A session for the requests that want one."""
    params = {"protocolVersion": revision, "capabilities": {"elicitation": {}}}
    message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
    reply = await Visit(Request("POST", "", [], msgspec.json.encode(message))).run(app)
    return reply.headers["mcp-session-id"]


async def visit_all(mode: str, revision: str, visits: list[tuple[Request, bool]]) -> None:
    server = HTTPEnvServer(Specimen, max_message_bytes=LIMIT, max_concurrent_envs=100)
    service = server.service(mode)
    app = McpEndpoint(service, Guard(server.settings), LIMIT)
    session = await begin(app, revision)
    has_asked = False
    for request, leaves_at_once in visits:
        filled = with_session(request, session)
        reply = await Visit(filled, leaves_at_once, has_asked).run(app)
        if reply.status or not (leaves_at_once or has_asked):
            check(filled, reply)
        has_asked = has_asked or may_last(request.body)
    await Visit(Request("DELETE", "", [("mcp-session-id", session.encode())], b"")).run(app)
    await nothing_under_way(service)
    await server.aclose()
    await settled()
    assert Specimen.alive == []
    assert server.statistics().active == 0


async def nothing_under_way(service: Service) -> None:
    """All clients have gone or have their answer, so no stream may be left."""
    await asyncio.wait_for(service.answering.idle(), LIMIT_S)


VISITS = st.lists(
    st.tuples(requests(("CONNECT", "", "é", *METHODS)), st.sampled_from([False] * 7 + [True])),
    min_size=1,
    max_size=8,
)
REVISIONS = st.sampled_from(["2025-03-26", "2025-06-18", "2025-11-25"])


@EVERY_MODE
@MANY
@given(revision=REVISIONS, visits=VISITS)
def test_any_requests_are_answered_and_leave_nothing(
    mode: str, revision: str, visits: list[tuple[Request, bool]]
) -> None:
    asyncio.run(visit_all(mode, revision, visits))


@contextlib.contextmanager
def served(mode: str) -> Iterator[Served]:
    """A real server; at its end no environment, task or thread may be left."""
    app = create_app(Specimen, mode=mode, max_message_bytes=LIMIT, max_concurrent_envs=2000)
    with serving(app, http=StraightHttp, access_log=False) as running:
        yield running
    asyncio.run(settled())
    assert Specimen.alive == []


@EVERY_MODE
def test_any_requests_over_a_socket_are_answered(mode: str) -> None:
    with served(mode) as server:

        @MANY
        @given(revision=REVISIONS, several=st.lists(requests(METHODS), min_size=1, max_size=4))
        def visit(revision: str, several: list[Request]) -> None:
            post_all(server, Client(server.port, revision), several)

        visit()


def post_all(server: Served, client: Client, several: list[Request]) -> None:
    """Post them all, and end every session that came of it."""
    session = client.fields[1]
    sessions = [session]
    for request in several:
        filled = with_session(request, str(session[1]))
        reply = posted(server, filled)
        if reply.body != NO_HTTP:
            check(filled, reply)
        if "mcp-session-id" in reply.headers:
            sessions.append(("mcp-session-id", reply.headers["mcp-session-id"]))
    for each in sessions:
        assert exchange(server.port, b"", [each], "DELETE").status in (200, 404)
    assert server.errors == []


def posted(server: Served, request: Request) -> Reply:
    try:
        lasts = may_last(request.body)
        method, query = request.method, request.query
        return exchange(server.port, request.body, request.fields, method, query, lasts)
    except http.client.RemoteDisconnected:
        raise AssertionError(f"no answer to {request}") from None


def sentinel() -> str:
    """A request that every connection answers, whatever it has heard before."""
    params = {
        "_meta": {f"{META}protocolVersion": "2026-07-28", f"{META}clientCapabilities": {}},
    }
    message = {"jsonrpc": "2.0", "id": "still there?", "method": "server/discover"}
    return msgspec.json.encode({**message, "params": params}).decode()


NOBODY_ASKS = (
    '{"jsonrpc": "2.0", "method": "initialize", '
    '"params": {"protocolVersion": "2025-11-25", "capabilities": {}}}'
)


async def talk_all(mode: str, frames: list[str | bytes], says_goodbye: bool) -> None:
    app = create_app(Specimen, mode=mode, max_message_bytes=LIMIT)
    async with Peer(app, "/mcp") as peer:
        for frame in frames:
            peer.send(frame)
        peer.send(sentinel())
        while True:
            heard = await peer.hear()
            for message in heard if isinstance(heard, list) else [heard]:
                check_message(message)
            if isinstance(heard, dict) and heard.get("id") == "still there?":
                assert "2026-07-28" in heard["result"]["supportedVersions"]
                break
        if says_goodbye:
            await peer.leave()
        else:
            peer.vanish()
    await app.state.server.aclose()
    await settled()
    assert Specimen.alive == []
    assert app.state.server.statistics().active == 0


@EVERY_MODE
@MANY
@example(frames=[NOBODY_ASKS], says_goodbye=True)
@given(frames=st.lists(FRAMES, max_size=8), says_goodbye=st.booleans())
def test_any_frames_are_answered_and_leave_nothing(
    mode: str, frames: list[str | bytes], says_goodbye: bool
) -> None:
    asyncio.run(talk_all(mode, frames, says_goodbye))


@EVERY_MODE
def test_any_frames_over_a_socket_are_answered(mode: str) -> None:
    with served(mode) as server:

        @given(frames=st.lists(FRAMES, max_size=6), breaks_off=st.booleans())
        def talk(frames: list[str | bytes], breaks_off: bool) -> None:
            with connect(server.ws("/mcp"), compression=None) as connection:
                for frame in (*frames, sentinel()):
                    connection.send(frame)
                listen(connection)
                if breaks_off:
                    connection.socket.close()
            assert server.errors == []

        talk()


def listen(connection: ClientConnection) -> None:
    """Hear everything up to the answer to the sentinel."""
    while True:
        heard = msgspec.json.decode(connection.recv(timeout=LIMIT_S))
        for message in heard if isinstance(heard, list) else [heard]:
            check_message(message)
        if isinstance(heard, dict) and heard.get("id") == "still there?":
            return
