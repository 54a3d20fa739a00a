"""Servers in production that strangers can do too much to."""

import itertools
import posixpath
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from openenv_lite import Action, Environment, Observation, State, create_app
from tests.testing.gallery.agents import Board
from tests.testing.gallery.exhibit import Exhibit

__all__ = ["EXHIBITS"]


class Add(Action):
    """A number to add."""

    amount: int


class Total(Observation):
    """The sum so far."""

    total: int


class Adding(Environment[Add, Total, State]):
    """Nothing is wrong with it: a sum."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def reset(self) -> Total:
        self.total = 0
        return Total(total=0)

    def step(self, action: Add) -> Total:
        self.total += action.amount
        return Total(total=self.total, reward=float(action.amount))


def _served(env: Any = Adding, mode: str = "production", **settings: Any) -> Any:
    return create_app(env, mode=mode, **settings)


def _path(scope: Any) -> str:
    path: str = scope.get("path", "")
    return path


def control_left_behind() -> Any:
    """Has a reset for the health check of the platform, as a route of its own."""
    app, trainer = _served(), _served(mode="simulation")

    async def reset(request: Request) -> Response:
        body = await request.json()
        return JSONResponse({"observation": {"total": 0}, "reward": None, "done": False, **body})

    app.router.routes.append(Route("/reset", reset, methods=["POST"]))
    app.state.trainer = trainer
    return app


def trainer_mounted() -> Any:
    """Serves the trainer under a prefix that nobody is told of."""
    app = _served()
    app.router.routes.append(Mount("/gym-7", _served(mode="simulation")))
    return app


def state_over_http() -> Any:
    """Shows the inner state on a page for operators."""
    app = _served()

    async def state(request: Request) -> Response:
        return JSONResponse({"episode_id": "e", "step_count": 3})

    app.router.routes.append(Route("/admin/state", state))
    return app


def _blocking(seen: Any) -> Any:
    """A proxy that blocks the controls by their paths, before it changes the path by `seen`."""
    agents, trainer = _served(), _served(mode="simulation")

    async def proxy(scope: Any, receive: Any, send: Any) -> None:
        path = seen(scope)
        if scope["type"] == "http" and _path(scope) not in CONTROLS and path in CONTROLS:
            await trainer({**scope, "path": path, "method": METHODS[path]}, receive, send)
        else:
            await agents(scope, receive, send)

    return proxy


METHODS = {"/reset": "POST", "/step": "POST", "/state": "GET"}
CONTROLS = tuple(METHODS)


def proxy_without_case() -> Any:
    """Blocks `/reset` in small letters, and routes without looking at the case."""
    return _blocking(lambda scope: _path(scope).lower())


def proxy_that_tidies_paths() -> Any:
    """Blocks `/reset`, and resolves dots and slashes only afterwards."""
    return _blocking(lambda scope: posixpath.normpath("/" + _path(scope).lstrip("/")))


def proxy_that_decodes_twice() -> Any:
    """Blocks `/reset`, and takes off what follows a blank or a semicolon only afterwards."""
    return _blocking(lambda scope: _path(scope).partition(";")[0].rstrip())


def proxy_that_believes_headers() -> Any:
    """Routes by the path that a header claims."""

    def path(scope: Any) -> str:
        headers: dict[bytes, bytes] = dict(scope.get("headers", ()))
        return headers.get(b"x-original-url", _path(scope).encode()).decode()

    return _blocking(path)


def proxy_that_overrides_methods() -> Any:
    """Blocks a control by its method, and takes the method from a header afterwards."""
    agents, trainer = _served(), _served(mode="simulation")

    async def proxy(scope: Any, receive: Any, send: Any) -> None:
        claimed = dict(scope.get("headers", ())).get(b"x-http-method-override")
        if scope["type"] == "http" and claimed is not None and _path(scope) in CONTROLS:
            await trainer({**scope, "method": claimed.decode()}, receive, send)
        else:
            await agents(scope, receive, send)

    return proxy


def socket_for_everybody() -> Any:
    """Closes the controls over HTTP, and forgets the WebSocket, which has them in every mode."""
    agents, trainer = _served(), _served(mode="simulation")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        is_plain = scope["type"] == "websocket" and not scope["subprotocols"]
        await (trainer if is_plain and _path(scope) == "/ws" else agents)(scope, receive, send)

    return app


def socket_by_request() -> Any:
    """Lets whoever connects choose the mode."""
    agents, trainer = _served(), _served(mode="simulation")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked = b"mode=simulation" in scope.get("query_string", b"")
        chosen = trainer if asked and scope["type"] == "websocket" else agents
        await chosen(scope, receive, send)

    return app


def socket_with_an_old_dialect() -> Any:
    """Closes the messages of trainers, and not the names that they had in an older version."""
    agents, trainer = _served(), _served(mode="simulation")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def translated() -> Any:
            message = await receive()
            text = message.get("text") or ""
            if '"command"' in text:
                return {**message, "text": text.replace('"command"', '"type"')}
            closed = any(f'"{name}"' in text for name in ("reset", "step", "state"))
            return {**message, "text": '{"type": "unknown"}'} if closed else message

        is_plain = scope["type"] == "websocket" and not scope["subprotocols"]
        if is_plain and _path(scope) == "/ws":
            await trainer(scope, translated, send)
        else:
            await agents(scope, receive, send)

    return app


def lanes_for_everybody() -> Any:
    """Looks after `/ws`, and forgets that it has lanes too."""
    agents, trainer = _served(), _served(mode="simulation")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        has_lanes = scope["type"] == "websocket" and bool(scope["subprotocols"])
        await (trainer if has_lanes else agents)(scope, receive, send)

    return app


def method_that_resets() -> Any:
    """Adds a JSON-RPC method for the convenience of its own dashboard."""
    agents = _served(Board)

    async def reset(request: Request) -> Response:
        message = await request.json()
        if not isinstance(message, dict) or message.get("method") != "env/reset":
            return JSONResponse({"jsonrpc": "2.0", "id": None, "error": {"code": -32601}})
        return JSONResponse({"jsonrpc": "2.0", "id": message["id"], "result": {"ok": True}})

    return _beside(agents, "/mcp", reset, lambda body: b'"env/' in body)


def _beside(agents: Any, path: str, endpoint: Any, concerns: Any) -> Any:
    """An app that answers some requests to a path by itself."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or _path(scope) != path or scope["method"] != "POST":
            await agents(scope, receive, send)
            return
        message = await receive()
        left = [message]

        async def again() -> Any:
            return left.pop() if left else await receive()

        if concerns(message.get("body", b"")):
            await Route(path, endpoint, methods=["POST"]).app(scope, again, send)
        else:
            await agents(scope, again, send)

    return app


def document_of_both_modes() -> Any:
    """Forbids a control, and still tells everybody that there is one."""
    app = _served()

    async def document(request: Request) -> Response:
        return JSONResponse({"openapi": "3.1.0", "paths": {"/reset": {"post": {}}}})

    async def forbid(request: Request) -> Response:
        return JSONResponse({"detail": "Forbidden"}, 403)

    app.router.routes.insert(0, Route("/openapi.json", document))
    app.router.routes.append(Route("/reset", forbid, methods=["POST"]))
    return app


def health_of_the_last_request() -> Any:
    """Takes a request that could not be read for a failure of its own."""
    agents, failures = _served(), itertools.count()
    seen = [next(failures)]

    async def health(request: Request) -> Response:
        return JSONResponse(
            {"status": "unhealthy" if seen[0] else "healthy"}, 503 if seen[0] else 200
        )

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and _path(scope) == "/health" and scope["method"] == "GET":
            await Route("/health", health).app(scope, receive, send)
            return
        if len(_path(scope)) > 5000:
            seen[0] = next(failures)
        await agents(scope, receive, send)

    return app


def _counting(full: Any, gives_back: Any = ("close", 1000, 1006)) -> Any:
    """An app with room for two sockets, which counts by itself and answers one more by `full`."""
    agents, held = _served(), [0]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket" or _path(scope) != "/ws":
            await agents(scope, receive, send)
            return
        if held[0] >= 2:
            await full(scope, receive, send)
            return
        held[0] += 1
        leaving = _Leaving(receive)
        await agents(scope, leaving.receive, send)
        if leaving.how in gives_back:
            held[0] -= 1

    return app


class _Leaving:
    """Notices how a client goes: by a word, or by the code of the disconnection."""

    def __init__(self, receive: Any) -> None:
        self.how: Any = None
        self._receive = receive

    async def receive(self) -> Any:
        message = await self._receive()
        if self.how is None:
            said_so = '"close"' in (message.get("text") or "")
            self.how = "close" if said_so else message.get("code")
        return message


async def _raise(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError("no environment left")


async def _hang(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    message = await receive()
    while message["type"] != "websocket.disconnect":
        message = await receive()


async def _refuse(scope: Any, receive: Any, send: Any) -> None:
    text = '{"type": "error", "data": {"code": "CAPACITY_REACHED", "message": "2 of 2"}}'
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": text})
    await send({"type": "websocket.close"})


def full_house_that_raises() -> Any:
    """Answers one session too many by a 500."""
    return _counting(_raise)


def full_house_that_hangs() -> Any:
    """Accepts one session too many, and never says a word."""
    return _counting(_hang)


def slots_of_broken_connections() -> Any:
    """Gives a place back at every orderly end, and not where a connection breaks."""
    return _counting(_refuse, gives_back=("close", 1000))


def slots_that_never_come_back() -> Any:
    """Gives a place back to nobody but those who say goodbye."""
    return _counting(_refuse, gives_back=("close",))


EXHIBITS = [
    Exhibit(control_left_behind, "no_control_over_http", is_app=True),
    Exhibit(trainer_mounted, "no_control_over_http", is_app=True),
    Exhibit(state_over_http, "no_control_over_http", is_app=True),
    Exhibit(proxy_without_case, "no_control_over_http", is_app=True),
    Exhibit(proxy_that_tidies_paths, "no_control_over_http", is_app=True),
    Exhibit(proxy_that_decodes_twice, "no_control_over_http", is_app=True),
    Exhibit(proxy_that_believes_headers, "no_control_over_http", is_app=True),
    Exhibit(proxy_that_overrides_methods, "no_control_over_http", is_app=True),
    Exhibit(socket_for_everybody, "no_control_over_websockets", is_app=True),
    Exhibit(socket_by_request, "no_control_over_websockets", is_app=True),
    Exhibit(socket_with_an_old_dialect, "no_control_over_websockets", is_app=True),
    Exhibit(lanes_for_everybody, "no_control_over_lanes", is_app=True),
    Exhibit(method_that_resets, "no_control_is_a_method", is_app=True),
    Exhibit(document_of_both_modes, "no_control_in_the_documents", is_app=True),
    Exhibit(health_of_the_last_request, "health_survives_attacks", is_app=True),
    Exhibit(full_house_that_raises, "capacity_is_refused_by_name", is_app=True),
    Exhibit(full_house_that_hangs, "capacity_is_refused_by_name", is_app=True),
    Exhibit(slots_of_broken_connections, "slots_come_back", is_app=True),
    Exhibit(slots_that_never_come_back, "slots_come_back", is_app=True),
]
