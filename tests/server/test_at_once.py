"""What `/mcp` answers without a call: nothing that it would not, called, have answered the same."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec
import pytest
from starlette.middleware import Middleware

from openenv_lite import MCPEnvironment, create_app
from tests.conversation.exchange import Exchange
from tests.leaks import on_loop, until
from tests.mcp.posting import fields_of_2026, meta, request

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
    query: str = ""
    more: dict[str, str] = {}
    body: bytes | None = None

    def text(self) -> bytes:
        if self.body is not None:
            return self.body
        asked = request("tools/call", name=self.tool, arguments={"text": "hi"}, _meta=meta())
        return msgspec.json.encode(asked)

    def to(self, app: Any) -> Exchange:
        usual = {name: str(value) for name, value in fields_of_2026("tools/call", self.tool)}
        message = msgspec.Raw(self.text())
        return Exchange(app, self.method, message, {**usual, **self.more}, self.query, self.path)


Response = tuple[int, bytes]


async def called(app: Any, request_: Request) -> Response:
    """What an app sends that is called."""
    async with request_.to(app) as reply:
        await until(lambda: reply.is_complete)
    return reply.status, reply.body


async def asked(app: Any, request_: Request) -> Response | None:
    """What it answers at once; None where it does not."""
    scope, body = request_.to(app).scope, request_.text()
    loop, told = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
    # As a protocol asks: in no task.
    loop.call_soon(lambda: told.set_result(app.at_once(scope, body)))
    found = await told
    if not isinstance(found, tuple):
        return None if found is None else await called(found, request_)
    start, end = found
    assert dict(start["headers"])[b"content-length"] == b"%d" % len(end["body"])
    return start["status"], end["body"]


@asynccontextmanager
async def serving(**settings: Any) -> Any:
    app = create_app(Tools, mode="production", max_concurrent_envs=4, **settings)
    yield app
    await app.state.server.aclose()


AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    "request_",
    [
        Request(),
        Request("awaited"),
        Request("unknown"),
        Request("cancelled"),
        Request(body=b"{"),
        Request(body=b"[]", more={"mcp-protocol-version": "2025-11-25"}),
        Request(more={"mcp-name": "another"}),
        Request(more={"content-type": "text/plain"}),
        Request(more={"accept": "text/html"}),
        Request(more={"mcp-session-id": "nobody", "mcp-protocol-version": "2025-11-25"}),
        Request(query="session_id=nobody"),
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
        (Request(more={"host": "evil.example"}), 421),
        (Request(more={"origin": "http://evil.example"}), 403),
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
