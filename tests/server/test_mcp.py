import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from openenv_lite import MCPEnvironment, create_app
from openenv_lite.errors import ToolFailedError
from tests.environments import Inline, Toolbox
from tests.leaks import on_loop, until
from tests.manual_clock import ManualClock
from tests.peer import Peer
from tests.test_codec import BROKEN, JSON

Call = Callable[..., Awaitable[Any]]
WAYS = pytest.mark.parametrize("way", ["POST /mcp", "WS /mcp", "mcp on WS /ws"])
MODES = pytest.mark.parametrize("mode", ["simulation", "production"])


def envelope(method: Any, params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


@asynccontextmanager
async def caller(way: str, kind: Any = Toolbox, **settings: Any) -> AsyncIterator[Call]:
    """A function that makes a JSON-RPC call by one of the three ways."""
    app = create_app(kind, **{"max_concurrent_envs": 5, "clock": ManualClock(), **settings})
    if way == "POST /mcp":
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:

            async def post(method: str, **params: Any) -> Any:
                reply = await http.post("/mcp", json=envelope(method, params))
                assert reply.status_code == 200
                return reply.json()

            yield post
    else:
        async with Peer(app, way.split()[-1]) as peer:
            yield peer.call
    await app.state.server.aclose()
    assert app.state.server.statistics().active == 0


@WAYS
@MODES
@on_loop
async def test_tools_of_the_mode_are_listed_and_called(way: str, mode: str) -> None:
    async with caller(way, mode=mode) as call:
        tools = (await call("tools/list"))["result"]["tools"]
        names = {tool["name"] for tool in tools}
        assert {"add", "shout"} < names
        assert ("serve" in names, "peek" in names) == (mode == "production", mode != "production")
        assert tools[0]["inputSchema"]["required"] == ["a"]
        for name, arguments, value in (
            ("add", {"a": "1", "b": 2}, 3),
            ("shout", {"text": "x"}, "X"),
            ("serve" if mode == "production" else "peek", {}, mode),
        ):
            result = (await call("tools/call", name=name, arguments=arguments))["result"]
            assert (result["data"], result["is_error"]) == (value, False)


@WAYS
@MODES
@on_loop
async def test_a_tool_of_the_other_mode_does_not_exist(way: str, mode: str) -> None:
    other = "peek" if mode == "production" else "serve"
    async with caller(way, mode=mode) as call:
        error = (await call("tools/call", name=other, arguments={}))["error"]
        assert error["code"] == -32602
        assert error["message"] == f"Unknown tool: '{other}'"


@WAYS
@MODES
@on_loop
async def test_why_a_tool_failed_is_told_as_far_as_the_mode_allows(way: str, mode: str) -> None:
    async with caller(way, mode=mode) as call:
        told = await call("tools/call", name="explain", arguments={})
        assert told["error"]["message"] == "try another day"
        failed = await call("tools/call", name="fail", arguments={})
        assert failed["error"]["code"] == -32603
        assert ("secret" in json.dumps(failed)) is (mode == "simulation")


@WAYS
@pytest.mark.parametrize("name", ["reset", "Reset", "step", "state", "close", "STATE "])
@on_loop
async def test_no_control_can_be_called_as_a_tool(way: str, name: str) -> None:
    async with caller(way) as call:
        assert (await call("tools/call", name=name))["error"]["code"] == -32602
        assert (await call(name))["error"]["code"] == -32601


@WAYS
@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("nowhere", {}, -32601),
        ("tools/call", {}, -32602),
        ("tools/call", {"name": 5}, -32602),
        ("tools/call", {"name": ""}, -32602),
        ("tools/call", {"name": "add", "arguments": []}, -32602),
        ("tools/call", {"name": "add", "arguments": None}, -32602),
        ("tools/call", {"name": "add", "arguments": {}}, -32602),
        ("tools/call", {"name": "add", "arguments": {"a": "x"}}, -32602),
        ("tools/call", {"name": "add", "arguments": {"a": 1, "self": 1}}, -32602),
        ("openenv/session/close", {}, -32602),
        ("openenv/session/close", {"session_id": 5}, -32602),
        ("openenv/session/close", {"session_id": "nowhere"}, -32602),
    ],
)
@on_loop
async def test_a_bad_call_is_refused_by_its_code(
    way: str, method: str, params: Any, code: int
) -> None:
    async with caller(way) as call:
        reply = await call(method, **params)
        assert reply["error"]["code"] == code
        assert reply["error"].keys() == {"code", "message", "data"}
        assert reply["id"] in (1, 7)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        *((text, -32700) for text in BROKEN if text.strip()),
        (b"[]", -32700),
        (b"5", -32700),
        (b"{}", -32600),
        (b'{"jsonrpc":"1.0","method":"tools/list"}', -32600),
        (b'{"jsonrpc":"2.0","method":5}', -32600),
        (b'{"jsonrpc":"2.0","method":"tools/list","params":[]}', -32600),
        (b'{"jsonrpc":"2.0","method":"tools/list","id":{}}', -32600),
        (b'{"jsonrpc":"2.0","method":"tools/list","extra":1}', -32600),
    ],
    ids=lambda each: repr(each)[:40],
)
@on_loop
async def test_what_is_no_request_is_told_so(message: bytes, code: int) -> None:
    app = create_app(Toolbox, clock=ManualClock())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        reply = await http.post("/mcp", content=message)
        assert (reply.status_code, reply.json()["error"]["code"]) == (200, code)
    async with Peer(app, "/mcp") as peer:
        if b"\xff" not in message and b"\xc3\x28" not in message:
            peer.send(message.decode())
            assert (await peer.hear())["error"]["code"] == code
        peer.send(message)
        assert (await peer.hear())["error"]["code"] == -32700  # binary
        assert (await peer.call("tools/list"))["result"]["tools"]


NAMES = st.sampled_from(["add", "shout", "fail", "explain", "draw", "reset"]) | JSON
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | JSON,
        "id": st.integers() | st.text() | JSON,
        "method": st.sampled_from(
            ["tools/list", "tools/call", "openenv/session/create", "openenv/session/close"]
        )
        | st.text(),
        "params": JSON
        | st.fixed_dictionaries(
            {},
            optional={
                "name": NAMES,
                "arguments": JSON | st.dictionaries(st.sampled_from(["a", "b", "text"]), JSON),
                "session_id": JSON,
            },
        ),
        "extra": JSON,
    },
)


@given(st.sampled_from([Toolbox, Inline]), REQUESTS.map(json.dumps) | st.text())
def test_any_text_gets_one_answer_on_every_way(kind: Any, text: str) -> None:
    kind.alive.clear()

    @on_loop
    async def story() -> None:
        app = create_app(kind, max_concurrent_envs=4, clock=ManualClock())
        transport = httpx.ASGITransport(app)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://test") as http,
            Peer(app, "/mcp") as peer,
        ):
            replies = [(await http.post("/mcp", content=text.encode())).json()]
            peer.send(text)
            replies.append(await peer.hear())
            for reply in replies:
                assert reply["jsonrpc"] == "2.0"
                assert ("result" in reply) is not ("error" in reply)
            assert peer.close_code is None
        await app.state.server.aclose()

    story()
    assert not kind.alive


@on_loop
async def test_a_call_without_a_session_gets_one_of_its_own_and_no_more() -> None:
    async with caller("POST /mcp", max_concurrent_envs=1) as call:
        for _ in range(3):
            await call("tools/call", name="add", arguments={"a": 1})
        assert not Toolbox.alive
        created = await call("openenv/session/create")
        refused = await call("tools/list")
        assert refused["error"]["code"] == -32000
        assert refused["error"]["data"]["max_sessions"] == 1
        session_id = created["result"]["session_id"]
        assert "result" in await call("tools/list", session_id=session_id)
        closed = await call("openenv/session/close", session_id=session_id)
        assert closed["result"] == {"session_id": session_id, "closed": True}
        again = await call("openenv/session/close", session_id=session_id)
        assert again["error"]["code"] == -32602


@on_loop
async def test_a_socket_is_its_own_session() -> None:
    for path in ("/mcp", "/ws"):
        async with Peer(create_app(Toolbox), path) as peer:
            made = await peer.call("openenv/session/create")
            assert made["result"]["session_id"] == peer.session_id
            closed = await peer.call("openenv/session/close", session_id=peer.session_id)
            assert closed["error"]["code"] == -32600
            assert "Cannot close active WebSocket-managed session" in closed["error"]["message"]


@on_loop
async def test_a_session_made_over_http_is_attached_by_a_socket_and_outlives_it() -> None:
    app = create_app(Toolbox, clock=ManualClock())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        made = await http.post("/mcp", json=envelope("openenv/session/create", {}))
        session_id = made.json()["result"]["session_id"]
        async with Peer(app, query=f"session_id={session_id}") as peer:
            await peer.ask("reset")
            closing = await http.post(
                "/mcp", json=envelope("openenv/session/close", {"session_id": session_id})
            )
            assert closing.json()["result"]["closing"] is True
            await peer.ask("state")
        await until(lambda: app.state.server.statistics().active == 0)


@on_loop
async def test_a_session_made_over_http_that_is_forgotten_expires() -> None:
    clock = ManualClock()
    app = create_app(Toolbox, clock=clock, idle_timeout_s=60)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        await http.post("/mcp", json=envelope("openenv/session/create", {}))
    assert app.state.server.statistics().active == 1
    await clock.advance(120)
    await until(lambda: app.state.server.statistics().active == 0)
    assert not Toolbox.alive


@WAYS
@on_loop
async def test_an_environment_without_tools_says_so(way: str) -> None:
    async with caller(way, Inline) as call:
        for method, params in (("tools/list", {}), ("tools/call", {"name": "x"})):
            error = (await call(method, **params))["error"]
            assert (error["code"], error["message"]) == (-32603, "Environment does not support MCP")


@on_loop
async def test_tools_through_step_before_the_first_reset() -> None:
    for mode, name in (("simulation", "peek"), ("production", "serve")):
        token = "a trainer's long secret"
        app = create_app(Toolbox, mode=mode, control_token=token)
        async with Peer(app, headers={"authorization": f"Bearer {token}"}) as peer:
            listed = await peer.ask("step", {"type": "list_tools"})
            assert name in {tool["name"] for tool in listed["observation"]["tools"]}
            called = await peer.ask("step", {"type": "call_tool", "tool_name": name})
            assert called["observation"]["result"]["data"] == mode
            failed = await peer.ask("step", {"tool_name": "fail"})
            assert failed["observation"]["error"]["error_type"] == "execution_error"
            assert ("secret-1234" in json.dumps(failed)) is (mode == "simulation")


@pytest.mark.parametrize(
    "message",
    [{"id": 5}, {"id": "five"}, {"id": None}, {"id": 1.5}, {}],
    ids=repr,
)
@on_loop
async def test_an_id_comes_back_as_it_was_also_on_a_refusal(message: dict[str, Any]) -> None:
    async with Peer(create_app(Toolbox), "/mcp") as peer:
        for rest in ({"jsonrpc": "2.0", "method": "tools/list"}, {"nonsense": 1}):
            peer.send(json.dumps({**rest, **message}))
            reply = await peer.hear()
            assert reply["id"] == (message.get("id") if message.get("id") != 1.5 else None)


def test_details_of_a_tools_own_error_that_json_cannot_carry_are_dropped() -> None:
    class Careless(MCPEnvironment):
        def __init__(self) -> None:
            @self.tool
            def fail() -> str:
                raise ToolFailedError("said on purpose", about=object())

    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "fail"}}
    with TestClient(create_app(Careless)) as http:
        reply = http.post("/mcp", json=call)
    assert (reply.status_code, reply.json()["error"]["message"]) == (200, "said on purpose")
    assert reply.json()["error"]["data"] is None
