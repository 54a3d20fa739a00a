"""Running servers, judged as `openenv validate --url` judges them, and then by what they do."""

import asyncio
import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from openenv_lite import create_app
from openenv_lite.testing.sessions import fetching
from openenv_lite.validation.gate import Failed, Passed, Skipped, Verdict
from openenv_lite.validation.site import Limits
from openenv_lite.validation.trial import SERVER_GATES, Trial, site_named
from tests.client.serving import serve
from tests.environments import Inline, Toolbox

SIX = [gate.name for gate in SERVER_GATES[:6]]

SOUND: dict[str, Any] = {
    "/openapi.json": {
        "info": {"version": "1.0"},
        "paths": {"/reset": {}, "/step": {}, "/state": {}},
    },
    "/health": {"status": "healthy"},
    "/metadata": {"name": "n", "description": "d"},
    "/schema": {"action": {}, "observation": {}, "state": {}},
    "/mcp": {"jsonrpc": "2.0"},
}

ODD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "sound": ({}, []),
    "no version": ({"/openapi.json": {"info": {}, "paths": {"/health": {}}}}, [SIX[0], SIX[5]]),
    "no document": ({"/openapi.json": 404}, [SIX[0], SIX[5]]),
    "a list": (
        {"/openapi.json": [], "/health": [], "/schema": []},
        [SIX[0], SIX[1], SIX[3], SIX[5]],
    ),
    "ill": ({"/health": {"status": "ok"}}, SIX[1:2]),
    "no json": ({"/health": "healthy", "/mcp": "pong"}, [SIX[1], SIX[4]]),
    "nameless": ({"/metadata": {"name": "n"}}, SIX[2:3]),
    "failing": ({"/metadata": 500, "/mcp": 406}, [SIX[2], SIX[4]]),
    "no state": ({"/schema": {"action": {}, "observation": {}}}, SIX[3:4]),
    "moved": ({"/health": "/moved", "/mcp": "/moved/mcp"}, []),
    "strict": ({"/mcp": {"jsonrpc": "1.0"}}, SIX[4:5]),
    "half": ({"/openapi.json": {"info": {"version": "1"}, "paths": {"/reset": {}}}}, SIX[5:]),
    "stray": ({"/openapi.json": {"info": {"version": "1"}, "paths": {"/state": {}}}}, SIX[5:]),
    "none": ({"/openapi.json": {"info": {"version": "1"}, "paths": {"/health": {}}}}, []),
    "no paths": ({"/openapi.json": {"info": {"version": "1"}}}, SIX[5:]),
}
"""By name: what is odd about it, and the gates that are not passed."""


def answering(odd: dict[str, Any]) -> Starlette:
    """A server that answers with these documents, statuses, texts, or redirections."""

    def answer(request: Request) -> Response:
        told = {**SOUND, **odd}[request.url.path]
        if isinstance(told, int):
            return JSONResponse({}, told)
        if isinstance(told, str):
            return RedirectResponse(told) if told.startswith("/") else PlainTextResponse(told)
        return JSONResponse(told)

    def moved(request: Request) -> Response:
        return JSONResponse(SOUND["/mcp"] if request.url.path == "/moved/mcp" else SOUND["/health"])

    routes = [Route(path, answer, methods=["GET", "POST"]) for path in SOUND]
    more = [Route(path, moved, methods=["GET", "POST"]) for path in ("/moved", "/moved/mcp")]
    return Starlette(routes=[*routes, *more])


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    """Where each odd server is."""
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(serve(answering(odd))) for name, (odd, _) in ODD.items()}


def verdicts_at(url: str, *names: str) -> dict[str, Verdict]:
    """What comes of these gates, and of no others."""
    trial = Trial(site_named(url, Limits(laws_s=0.5)))
    return {gate.name: trial.verdict(gate) for gate in SERVER_GATES if gate.name in names}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_about_a_server_is_found(urls: dict[str, str], name: str) -> None:
    found = verdicts_at(urls[name], *SIX)
    assert [gate for gate in found if not isinstance(found[gate], Passed)] == ODD[name][1]


def test_openenv_judges_these_servers_alike(urls: dict[str, str], openenv_python: Path) -> None:
    script = (
        "import json, sys\n"
        "from openenv.cli._validation import validate_running_environment as validate\n"
        "reports = {url: validate(url)['criteria'] for url in sys.argv[1:]}\n"
        "print(json.dumps({url: [c['id'] for c in reports[url] if not c['passed']]"
        " for url in reports}))\n"
    )
    command = [str(openenv_python), "-c", script, *urls.values()]
    theirs = json.loads(subprocess.check_output(command, timeout=60))
    assert theirs == {urls[name]: failing for name, (_, failing) in ODD.items()}


def test_where_nobody_answers_the_fault_is_told_and_the_rest_left_out() -> None:
    found = verdicts_at("http://127.0.0.1:9", *(gate.name for gate in SERVER_GATES))
    first = found["openapi_version_available"]
    assert isinstance(first, Failed)
    assert first.fault.startswith("GET /openapi.json: /openapi.json was not answered")
    assert first.remedy == "See that a server answers there: `curl http://127.0.0.1:9/openapi.json`"
    for name in ("tool_discovery", "random_turns", "contract_laws"):
        assert isinstance(found[name], Skipped), name


DISCOVERY = ("schema_endpoint", "mode_endpoint_consistency", "tool_discovery", "random_turns")


def test_typed_actions_are_found_and_played() -> None:
    with serve(create_app(Inline)) as url:
        found = verdicts_at(url, *DISCOVERY)
    assert found["tool_discovery"] == Passed("typed actions: amount (integer)")
    assert isinstance(found["random_turns"], Passed)


def test_tools_are_found_and_played() -> None:
    with serve(create_app(Toolbox)) as url:
        found = verdicts_at(url, *DISCOVERY)
    assert isinstance(found["tool_discovery"], Passed)
    assert found["tool_discovery"].told.startswith("tools: ")
    assert isinstance(found["random_turns"], Passed)


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ({}, Passed("typed actions: no fields")),
        ({"properties": {"metadata": {}}}, Passed("typed actions: no fields")),
        (
            {"properties": {"a": {"anyOf": []}, "b": True, "c": {"type": ["null"]}}},
            Passed("typed actions: a (several types), b (anything), c (['null'])"),
        ),
    ],
)
def test_schemas_of_every_kind_are_told(action: dict[str, Any], told: Passed) -> None:
    with serve(answering({"/schema": {**SOUND["/schema"], "action": action}})) as url:
        assert verdicts_at(url, "tool_discovery")["tool_discovery"] == told


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        ({"/schema": {"action": {"properties": [1]}}}, "does not tell the action's fields"),
        ({"/schema": {"action": {"properties": {"tool_name": {}}}}}, "A client that asks for the"),
    ],
)
def test_a_server_that_hides_what_agents_may_do_is_told(odd: dict[str, Any], told: str) -> None:
    with serve(answering(odd)) as url:
        found = verdicts_at(url, "tool_discovery")["tool_discovery"]
    assert isinstance(found, Failed)
    assert told in found.fault


def test_in_production_tools_are_found_and_nobody_plays() -> None:
    with serve(create_app(Toolbox, mode="production")) as url:
        found = verdicts_at(url, *DISCOVERY)
    assert isinstance(found["tool_discovery"], Passed)
    assert found["random_turns"] == Skipped("in production nobody plays")


def test_a_server_that_does_not_answer_in_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(request: Request) -> Response:
        await asyncio.sleep(30)
        return JSONResponse({})

    monkeypatch.setattr(fetching, "_LONGEST_S", 0.3)
    with serve(Starlette(routes=[Route("/health", silent)])) as url:
        found = verdicts_at(url, "health_endpoint")["health_endpoint"]
    assert isinstance(found, Failed)
    assert found.fault == "GET /health: /health was not answered within 0.3 s"
