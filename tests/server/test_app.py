import asyncio
import re
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import fastapi
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from openenv_lite import HTTPEnvServer, ServerMode, create_app
from openenv_lite.errors import ConfigurationError
from openenv_lite.server.variables import VARIABLES
from tests.environments import Awaiting, Inline, Threaded, Toolbox
from tests.leaks import on_loop
from tests.peer import Peer

TASKS = {f"/{{env_name}}/{each}" for each in ("splits", "tasks", "num_tasks", "task", "task_range")}
CONTROLS = {"/reset", "/step", "/state", *TASKS}


def paths(routes: list[BaseRoute]) -> set[str]:
    return {each.path for each in routes if isinstance(each, Route | WebSocketRoute)}


def test_production_holds_no_control_route() -> None:
    server = HTTPEnvServer(env=Inline)
    assert paths(server.routes(ServerMode.SIMULATION)) > CONTROLS
    production = server.routes(ServerMode.PRODUCTION)
    assert not paths(production) & CONTROLS
    assert {"/ws", "/mcp", "/health"} <= paths(production)
    assert len(server.routes()) - len(production) == len(CONTROLS)


def test_production_answers_controls_as_if_they_had_never_been() -> None:
    with TestClient(create_app(Inline, mode="production")) as http:
        nowhere = http.post("/nowhere", json={})
        for path in CONTROLS:
            for reply in (http.post(path, json={}), http.get(path), http.put(path)):
                assert (reply.status_code, reply.json()) == (404, nowhere.json())
        assert not CONTROLS & http.get("/openapi.json").json()["paths"].keys()
        assert not any(path in http.get("/docs").text for path in CONTROLS)


@pytest.mark.parametrize("mode", [ServerMode.PRODUCTION, "production", "PRODUCTION"])
def test_a_mode_may_be_named(mode: Any) -> None:
    assert not paths(create_app(Inline, mode=mode).routes) & CONTROLS


@pytest.mark.parametrize(
    "settings",
    [
        {"mode": "dreaming"},
        {"mode": 5},
        {"max_concurrent_envs": 0},
        {"max_concurrent_envs": -1},
        {"max_concurrent_envs": 1.5},
        {"idle_timeout_s": -1.0},
        {"idle_timeout_s": float("nan")},
        {"resume_grace_s": float("nan")},
        {"control_token": ""},
        {"max_message_bytes": 0},
        {"unheard_of": 1},
    ],
    ids=repr,
)
def test_a_setting_that_cannot_be_met_is_refused_at_start_up(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        create_app(Inline, **settings)


def test_more_than_one_needs_the_classs_word() -> None:
    class Alone(Inline):
        SUPPORTS_CONCURRENT_SESSIONS = False

    with pytest.raises(ConfigurationError, match="SUPPORTS_CONCURRENT_SESSIONS"):
        create_app(Alone, max_concurrent_envs=2)
    with pytest.raises(ConfigurationError, match="not an instance of Inline"):
        create_app(Inline())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("variable", "text", "fits"),
    [
        ("MAX_CONCURRENT_ENVS", "2", True),
        ("MAX_CONCURRENT_ENVS", "", True),
        ("MAX_CONCURRENT_ENVS", "two", False),
        ("MAX_CONCURRENT_ENVS", "0", False),
        ("SESSION_IDLE_TIMEOUT_S", "60", True),
        ("SESSION_IDLE_TIMEOUT_S", "nan", False),
        ("SESSION_IDLE_TIMEOUT_S", "-1", False),
        ("OPENENV_MODE", "production", True),
        ("OPENENV_MODE", "", True),
        ("OPENENV_MODE", "dreaming", False),
        ("OPENENV_CONTROL_TOKEN", "", True),
    ],
)
def test_variables_of_the_process_are_checked_as_well(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, fits: bool
) -> None:
    monkeypatch.setenv(variable, text)
    if fits:
        create_app(Inline)
    else:
        with pytest.raises(ConfigurationError):
            create_app(Inline)


def test_every_variable_is_documented() -> None:
    documented = {*re.findall(r"`([A-Z_]+)`", str(create_app.__doc__))}
    assert documented == {*VARIABLES, "OPENENV_MODE"}


def test_an_argument_wins_over_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENENV_MODE", "production")
    monkeypatch.setenv("MAX_CONCURRENT_ENVS", "7")
    assert paths(create_app(Inline, mode="simulation").routes) > CONTROLS
    app = create_app(Inline, max_concurrent_envs=2)
    assert app.state.server.statistics().max_sessions == 2


def test_the_call_of_the_seeds_works() -> None:
    from openenv_lite import CallToolAction, CallToolObservation  # noqa: PLC0415

    create_app(
        Toolbox,
        CallToolAction,
        CallToolObservation,
        env_name="my_env",
        max_concurrent_envs=4,
    )
    for app in (Starlette(), fastapi.FastAPI()):
        server = HTTPEnvServer(
            env=Toolbox, action_cls=CallToolAction, observation_cls=CallToolObservation
        )
        server.register_routes(app, mode=ServerMode.SIMULATION)
        with TestClient(app) as http:
            assert http.get("/health").json() == {"status": "healthy"}


def exercise(app: Any, kind: Any, prefix: str = "") -> None:
    """An episode over a socket and one over HTTP, on a server that lives until both are closed."""
    with TestClient(app) as http:
        assert http.get(f"{prefix}/health").status_code == 200
        assert http.post(f"{prefix}/step", json={"action": {"amount": 1}}).status_code == 200
        with http.websocket_connect(f"{prefix}/ws") as socket:
            socket.send_json({"type": "reset"})
            assert socket.receive_json()["type"] == "observation"
        deadline = time.monotonic() + 10
        while kind.alive:
            assert time.monotonic() < deadline
            time.sleep(0.002)


@pytest.mark.parametrize("kind", [Inline, Threaded, Awaiting])
@pytest.mark.parametrize("make", [Starlette, fastapi.FastAPI])
def test_an_app_that_exists_takes_the_routes_and_keeps_its_own(make: Any, kind: Any) -> None:
    lives: list[str] = []

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        lives.append("begun")
        yield
        lives.append("ended")

    app = make(lifespan=lifespan)
    server = HTTPEnvServer(kind)
    server.register_routes(app)
    exercise(app, kind)
    assert lives == ["begun", "ended"]


@pytest.mark.parametrize("make", [Starlette, fastapi.FastAPI])
def test_mounted_under_a_prefix(make: Any) -> None:
    outer = make()
    outer.mount("/games/count", create_app(Threaded))
    exercise(outer, Threaded, "/games/count")


def test_two_environments_in_one_process_know_nothing_of_each_other() -> None:
    one, two = create_app(Inline, max_concurrent_envs=1), create_app(Threaded)
    outer = Starlette(routes=[Mount("/one", one), Mount("/two", two)])
    with TestClient(outer) as http, http.websocket_connect("/one/ws") as first:
        first.send_json({"type": "reset"})
        first.receive_json()
        with http.websocket_connect("/two/ws") as second:
            second.send_json({"type": "reset"})
            assert second.receive_json()["type"] == "observation"
            assert one.state.server.statistics().active == 1
            assert two.state.server.statistics().active == 1
        assert http.get("/one/list_environments").json() == ["Inline"]
        assert http.get("/two/list_environments").json() == ["Threaded"]


def test_routes_can_be_mounted_as_a_plain_list() -> None:
    server = HTTPEnvServer(Inline)
    exercise(Starlette(routes=[Mount("/env", routes=server.routes())]), Inline, "/env")


@pytest.mark.parametrize("kind", [Inline, Threaded, Awaiting])
@on_loop
async def test_without_a_lifespan_everything_still_ends(kind: Any) -> None:
    app = create_app(kind)
    async with Peer(app) as peer:
        await peer.ask("reset")
    assert app.state.server.statistics().active == 0


@pytest.mark.parametrize("kind", [Inline, Threaded, Awaiting])
def test_the_lifespans_end_closes_what_http_left_open(kind: Any) -> None:
    app = create_app(kind)
    request = {"jsonrpc": "2.0", "id": 1, "method": "openenv/session/create"}
    with TestClient(app) as http:
        http.post("/mcp", json=request)
        assert len(kind.alive) == 1
    assert not kind.alive
    with TestClient(app) as http:
        assert "result" in http.post("/mcp", json=request).json()
    assert not kind.alive


@pytest.mark.parametrize(("kind", "blocking"), [(Inline, True), (Threaded, False)])
@on_loop
async def test_who_serves_a_class_may_say_whether_it_has_a_thread(
    kind: Any, blocking: bool
) -> None:
    async with Peer(create_app(kind, blocking=blocking)) as peer:
        await peer.ask("reset")
        await peer.ask("step", {"amount": 1})
        (environment,) = kind.alive
    assert (threading.get_ident() in environment.threads) is not blocking
    assert len(environment.threads) == 1


@pytest.mark.parametrize(("text", "threaded"), [("off", False), ("TRUE", True), ("", True)])
def test_so_does_a_variable(monkeypatch: Any, text: str, threaded: bool) -> None:
    monkeypatch.setenv("OPENENV_BLOCKING", text)
    assert create_app(Threaded).state.server.blueprint.threaded is threaded


def test_a_variable_that_says_neither_is_refused(monkeypatch: Any) -> None:
    monkeypatch.setenv("OPENENV_BLOCKING", "perhaps")
    with pytest.raises(ConfigurationError, match="OPENENV_BLOCKING='perhaps' is not yes or no"):
        create_app(Threaded)


@on_loop
async def test_many_clients_at_once_are_never_mixed_up() -> None:
    app = create_app(Awaiting, max_concurrent_envs=50)

    async def play(amount: int) -> None:
        async with Peer(app) as peer:
            await peer.ask("reset", {"start": -1000 * amount})
            for turn in range(1, 6):
                reply = await peer.ask("step", {"amount": amount})
                assert reply["observation"]["total"] == amount * turn - 1000 * amount

    await asyncio.gather(*(play(amount) for amount in range(1, 41)))
    assert app.state.server.statistics().active == 0
    assert app.state.server.statistics().steps == 200


@on_loop
async def test_an_app_without_the_http_exception_words_still_refuses_what_is_too_large() -> None:
    app = Starlette()
    HTTPEnvServer(Inline, max_message_bytes=100).register_routes(app)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        assert (await http.post("/reset", content=b"x" * 101)).status_code == 413


def test_registering_again_in_production_leaves_no_control_behind() -> None:
    app, server = Starlette(), HTTPEnvServer(Toolbox)
    server.register_routes(app, mode=ServerMode.SIMULATION)
    server.register_routes(app, mode=ServerMode.PRODUCTION)
    with TestClient(app) as http:
        assert [http.post(path, json={}).status_code for path in ("/reset", "/step")] == [404, 404]
        assert http.get("/health").status_code == 200


def tools(http: TestClient) -> set[str]:
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    listed = http.post("/mcp", json=request).json()["result"]["tools"]
    return {each["name"] for each in listed}


def test_a_middleware_sees_what_is_for_mcp_too() -> None:
    seen: list[str] = []

    class Watch:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(scope.get("path", ""))
            await self.app(scope, receive, send)

    app = create_app(Toolbox)
    app.add_middleware(Watch)
    with TestClient(app) as http:
        assert "add" in tools(http)
    assert "/mcp" in seen


def test_a_route_put_before_ours_answers_for_mcp() -> None:
    async def mine(request: Request) -> Response:
        return Response("mine")

    app = create_app(Toolbox)
    app.router.routes.insert(0, Route("/mcp", mine, methods=["POST"]))
    with TestClient(app) as http:
        assert http.post("/mcp").text == "mine"


@pytest.mark.parametrize("modes", [("simulation", "production"), ("production", "simulation")])
def test_registered_again_in_another_mode_mcp_answers_in_that_mode(modes: tuple[str, str]) -> None:
    first, then = modes
    own = {"simulation": {"peek"}, "production": {"serve"}}
    app = create_app(Toolbox, mode=first)
    with TestClient(app) as http:
        assert tools(http) & {"peek", "serve"} == own[first]
        app.state.server.register_routes(app, mode=then)
        assert tools(http) & {"peek", "serve"} == own[then]
        no_controls = then == "production"
        for path in ("/reset", "/step"):
            assert (http.post(path, json={}).status_code == 404) is no_controls
        with http.websocket_connect("/ws") as socket:
            socket.send_json({"type": "state"})
            assert (socket.receive_json()["type"] == "error") is no_controls
