"""The laws of tools and security on servers that are right, and what they attack with."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route

from openenv_lite.server import HTTPEnvServer, create_app
from openenv_lite.testing import knock
from openenv_lite.testing.law import Law
from openenv_lite.testing.laws import LAWS
from openenv_lite.testing.running import Broken, Check, Held, Terms, Verdict
from openenv_lite.testing.strangers import attacks
from openenv_lite.testing.strangers.evidence import leak_in, proof_of_control, shows_lanes
from openenv_lite.testing.strangers.ways import RPC_WAYS
from openenv_lite.testing.subject import subject_of
from openenv_lite.tools import is_reserved
from tests.client.serving import serve
from tests.testing.gallery.agents import Board
from tests.testing.gallery.security import Adding, proxy_that_tidies_paths
from tests.testing.gallery.servers import SpoiltServer
from tests.testing.gallery.tools import Shop

MINE = [law for law in LAWS if law.group in ("tools", "security")]
INFORMATION = ("/health", "/schema", "/openapi.json", "/mcp")


def verdicts(target: Any, laws: list[Law] = MINE) -> dict[str, Verdict]:
    subject = subject_of(target)
    try:
        return {
            law.name: verdict for law, verdict in Check(subject, Terms(budget_s=30)).verdicts(laws)
        }
    finally:
        subject.close()


def broken(found: dict[str, Verdict]) -> dict[str, str]:
    return {name: each.violation for name, each in found.items() if isinstance(each, Broken)}


def with_pages_of_its_own() -> Any:
    """Routes that bear a control's name and are none."""
    app = create_app(Adding, mode="production")

    async def password(request: Request) -> Response:
        return JSONResponse({"sent": "a link by which to reset your password"})

    async def place(request: Request) -> Response:
        return JSONResponse({"state": "CA", "country": "US"})

    app.router.routes += [Route("/reset", password, methods=["POST"]), Route("/state", place)]
    return app


def answering_everything(page: Response) -> Any:
    """A reverse proxy that has a page for every path that it does not know."""
    agents = create_app(Board, mode="production")

    async def proxy(scope: Any, receive: Any, send: Any) -> None:
        is_page = scope["type"] == "http" and scope["path"] not in INFORMATION
        await (page if is_page else agents)(scope, receive, send)

    return proxy


def on_fastapi() -> Any:
    app = FastAPI()
    app.get("/hello")(lambda: {"hello": "you"})
    HTTPEnvServer(Board).register_routes(app, "production")
    return app


SOUND: dict[str, Callable[[], Any]] = {
    "classes": lambda: Shop,
    "one at a time": lambda: create_app(Board, mode="production", max_concurrent_envs=1),
    "control token": lambda: create_app(Adding, mode="production", control_token="x" * 32),
    "agents' token": lambda: create_app(Board, mode="production", mcp_token="x" * 32),
    "pages of its own": with_pages_of_its_own,
    "200 to everything": lambda: answering_everything(JSONResponse({"ok": True})),
    "welcome": lambda: answering_everything(HTMLResponse("<h1>Welcome</h1>")),
    "fastapi": on_fastapi,
    "queue": lambda: create_app(
        Adding, mode="production", max_concurrent_envs=1, queue_timeout_s=30
    ),
}


@pytest.mark.parametrize("name", SOUND)
def test_servers_that_are_right_break_no_law(name: str) -> None:
    assert broken(verdicts(SOUND[name]())) == {}


def test_every_way_is_tried_once() -> None:
    found = verdicts(create_app(Adding, mode="production"))
    action = {"amount": 0}
    counts = {
        "no_control_over_http": len(attacks.http_ways([], action)),
        "no_control_over_websockets": len(attacks.socket_ways([], action)),
        "no_control_over_lanes": len(attacks.lane_messages(action)),
        "no_control_is_a_method": len(RPC_WAYS),
        "health_survives_attacks": len(attacks.NONSENSE),
    }
    assert {name: found[name] for name in counts} == {n: Held(each) for n, each in counts.items()}
    assert max(counts.values()) <= 40


def test_a_server_elsewhere_under_a_prefix_is_attacked_under_it() -> None:
    laws = [law for law in MINE if law.name == "no_control_over_http"]
    sound = Starlette(routes=[Mount("/env/7", create_app(Adding, mode="production"))])
    with serve(sound) as url:
        assert broken(verdicts(f"{url}/env/7", laws)) == {}
    with serve(proxy_that_tidies_paths()) as url:
        assert [*broken(verdicts(url, laws))] == ["no_control_over_http"]


async def telling_its_path(scope: Any, receive: Any, send: Any) -> None:
    raw = scope["raw_path"].decode()
    body = {"raw": raw, "path": scope["path"], "query": scope["query_string"].decode()}
    known: dict[str, Any] = {"/schema": {}, "/openapi.json": {"paths": {}}}
    await JSONResponse(known.get(scope["path"], body))(scope, receive, send)


def test_no_path_is_tidied_on_its_way() -> None:
    path = "//a/./b/../%2e%2e/c%2f;d?e=/../f"
    inside = knock(telling_its_path)
    with serve(telling_its_path) as url:
        outside = knock(url)
        replies = [door.request("POST", path, {"x": 1}) for door in (inside, outside)]
        outside.close()
    inside.close()
    assert [each.body["raw"] for each in replies] == [path.partition("?")[0]] * 2
    assert replies[0].body == replies[1].body


def test_an_app_that_raises_answers_500_and_one_that_is_silent_nothing() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/raise":
            raise RuntimeError("no")
        if scope["path"] != "/silence":
            await telling_its_path(scope, receive, send)

    door = knock(app)
    assert door.request("GET", "/raise").status == 500
    assert door.request("GET", "/silence").status == 0
    door.close()


@pytest.mark.parametrize(
    "name", ["reset", "Reset ", "STEP", "\uff52\uff45\uff53\uff45\uff54", "cl\u200bose", "re set"]
)
def test_a_controls_name_is_known_in_every_spelling(name: str) -> None:
    assert is_reserved(name)


@pytest.mark.parametrize("name", ["reset_password", "steps", "estate", "closed"])
def test_other_names_are_free(name: str) -> None:
    assert not is_reserved(name)


def test_mounted_apps_are_found_however_deep() -> None:
    inner = Starlette(routes=[Mount("/deep", Starlette())])
    assert [*attacks.mounts_of(Starlette(routes=[Mount("/outer", inner)]))] == [
        "/outer",
        "/outer/deep",
    ]


def test_a_control_is_known_by_what_it_says() -> None:
    proof = proof_of_control({"state": {"properties": {"total": {}, "step_count": {}}}}, None)
    assert proof({"observation": {}, "reward": 1, "done": False})
    assert proof({"data": [{"total": 1, "step_count": 2, "more": 3}]})
    assert not proof({"observation": "it rains"})
    assert not proof({"total": 1})
    usual = {"observation": {}, "done": True}
    assert not proof_of_control({}, usual)(usual)
    assert shows_lanes({"type": "results", "id": 2}, 2)
    assert not shows_lanes({"type": "error", "id": 2}, 2)


@pytest.mark.parametrize(
    "shown",
    [
        {"reward": 2.5},
        {"content": [{"type": "text", "text": '{"game": {"reward": 2.5}}'}]},
        {"step": {"reward": None, "done": False}},
        {"text": "from seed 1700000001"},
    ],
)
def test_a_leak_is_found_wherever_it_is(shown: Any) -> None:
    assert leak_in(shown, 2.5, {"seed": "1700000001"})


@pytest.mark.parametrize("shown", [{"reward": 3}, {"reward": True}, {"done": True}, {"seed": 7}])
def test_what_only_sounds_like_a_reward_is_no_leak(shown: Any) -> None:
    assert leak_in(shown, 1.0, {"seed": "1700000001"}) is None
    assert leak_in(shown, None, {"seed": "1700000001"}) is None


def saying(path: str, said: bytes) -> Any:
    """A server that answers one of its pages in words of its own."""

    class Saying(SpoiltServer):
        def answer(self, method: str, where: str, status: int, body: bytes) -> tuple[int, bytes]:
            return (status, said) if (method, where) == ("GET", path) else (status, body)

    return Saying()


@pytest.mark.parametrize(
    ("path", "said", "law"),
    [
        ("/health", b"OK", "server_tells_its_health"),
        ("/metadata", b"<html>", "environment_tells_its_name"),
        ("/schema", b"{}", "schemas_are_json_schema"),
    ],
)
def test_a_page_in_other_words_breaks_its_law_and_ends_no_check(
    path: str, said: bytes, law: str
) -> None:
    laws = [each for each in LAWS if each.group in ("lifecycle", "shape", "rewards")]
    assert [*broken(verdicts(saying(path, said), laws))] == [law]
