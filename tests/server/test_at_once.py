"""What `/mcp` answers without a call: nothing that it would not, called, have answered the same."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest
from starlette.middleware import Middleware

from openenv_lite import MCPEnvironment, create_app
from tests.leaks import on_loop

REVISION = b"2026-07-28"
MCP = "io.modelcontextprotocol"
META = b'{"%b/protocolVersion":"%b","%b/clientCapabilities":{}}'
TOKEN = "a token of twenty characters"


class Tools(MCPEnvironment):
    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def __init__(self) -> None:
        @self.tool
        def plain(text: str) -> str:
            return text

        @self.tool
        def cancelled(text: str) -> str:
            raise asyncio.CancelledError(text)

        @self.tool
        async def awaited(text: str) -> str:
            await asyncio.sleep(0)
            return text


class Request(NamedTuple):
    """One that any server takes, and what is different about it."""

    tool: str = "plain"
    path: str = "/mcp"
    method: str = "POST"
    query: bytes = b""
    more: dict[bytes, bytes] = {}
    body: bytes | None = None

    def text(self) -> bytes:
        if self.body is not None:
            return self.body
        meta = META % (MCP.encode(), REVISION, MCP.encode())
        params = b'{"name":"%b","arguments":{"text":"hi"},"_meta":%b}' % (self.tool.encode(), meta)
        return b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":%b}' % params

    def scope(self) -> dict[str, Any]:
        headers = {
            b"host": b"localhost",
            b"content-type": b"application/json",
            b"accept": b"application/json, text/event-stream",
            b"mcp-protocol-version": REVISION,
            b"mcp-method": b"tools/call",
            b"mcp-name": self.tool.encode(),
            **self.more,
        }
        return {
            "type": "http",
            "method": self.method,
            "path": self.path,
            "query_string": self.query,
            "headers": [*headers.items()],
            "server": ("127.0.0.1", 80),
            "scheme": "http",
            "root_path": "",
        }


Response = tuple[int, bytes]


async def called(app: Any, request: Request) -> Response:
    """What an app sends that is called."""
    sent: list[Any] = []
    coming = [{"type": "http.request", "body": request.text(), "more_body": False}]

    async def receive() -> Any:
        return coming.pop() if coming else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    await app(request.scope(), receive, send)
    return sent[0]["status"], b"".join(each["body"] for each in sent[1:])


async def asked(app: Any, request: Request) -> Response | None:
    """What it answers at once; None where it does not."""
    loop, found = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
    # As a protocol asks: in no task.
    loop.call_soon(lambda: found.set_result(app.at_once(request.scope(), request.text())))
    found = await found
    if found is None:
        return None
    if not isinstance(found, tuple):
        return await called(found, request)
    start, end = found
    assert dict(start["headers"])[b"content-length"] == b"%d" % len(end["body"])
    return start["status"], end["body"]


@asynccontextmanager
async def serving(**settings: Any) -> Any:
    app = create_app(Tools, mode="production", max_concurrent_envs=4, **settings)
    yield app
    await app.state.server.aclose()


AUTHORIZED = {b"authorization": f"Bearer {TOKEN}".encode()}


@pytest.mark.parametrize(
    "request_",
    [
        Request(),
        Request("awaited"),
        Request("unknown"),
        Request("cancelled"),
        Request(body=b"{"),
        Request(body=b"[]", more={b"mcp-protocol-version": b"2025-11-25"}),
        Request(more={b"mcp-name": b"another"}),
        Request(more={b"content-type": b"text/plain"}),
        Request(more={b"accept": b"text/html"}),
        Request(more={b"mcp-session-id": b"nobody", b"mcp-protocol-version": b"2025-11-25"}),
        Request(query=b"session_id=nobody"),
        Request(more=AUTHORIZED),
    ],
)
@on_loop
async def test_it_is_what_a_call_is_answered(request_: Request) -> None:
    for settings in ({}, {"mcp_token": TOKEN}):
        async with serving(**settings) as app:
            straight = await asked(app, request_)
            by_call = await called(app, request_)
            if settings and request_.more != AUTHORIZED:
                assert (straight, by_call[0]) == (None, 401)
            else:
                assert straight == by_call


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (Request(method="GET"), 405),
        (Request(path="/elsewhere"), 404),
        (Request(more={b"host": b"evil.example"}), 421),
        (Request(more={b"origin": b"http://evil.example"}), 403),
        (Request(body=b" " * 2000), 413),
    ],
)
@on_loop
async def test_what_is_not_for_it_is_left_to_the_call(request_: Request, status: int) -> None:
    async with serving(max_message_bytes=1000) as app:
        assert await asked(app, request_) is None
        assert (await called(app, request_))[0] == status


@on_loop
async def test_who_calls_is_asked_of_a_verifier_by_the_call() -> None:
    async def verify(token: str) -> dict[str, Any] | None:
        return {"sub": "somebody"} if token == TOKEN else None

    async with serving(verify_token=verify) as app:
        assert await asked(app, Request(more=AUTHORIZED)) is None


@on_loop
async def test_middleware_sees_every_request() -> None:
    seen: list[str] = []

    class Watching:
        def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
            self._app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope["path"])
            await self._app(scope, receive, send)

    async with serving() as app:
        app.user_middleware.append(Middleware(Watching))
        assert await asked(app, Request()) is None
        assert (await called(app, Request()))[0] == 200
        assert seen == ["/mcp"]
