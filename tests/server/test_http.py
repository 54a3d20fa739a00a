import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite import Environment, create_app
from tests.environments import Add, Awaiting, Count, Inline, Secretive, Threaded, Toolbox
from tests.leaks import on_loop, until
from tests.manual_clock import ManualClock
from tests.test_codec import BROKEN, JSON

ALL = pytest.mark.parametrize("kind", [Inline, Threaded, Awaiting])


@asynccontextmanager
async def client(kind: Any, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the app in this loop; an exception that leaves the app is raised here."""
    app = create_app(kind, **{"max_concurrent_envs": 3, "clock": ManualClock(), **settings})
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as made:
        made.server = app.state.server  # type: ignore[attr-defined]
        yield made
    await app.state.server.aclose()
    assert app.state.server.statistics().active == 0


@ALL
@on_loop
async def test_each_request_is_an_episode_of_its_own(kind: Any) -> None:
    async with client(kind) as http:
        reset = await http.post("/reset", json={"seed": 1})
        assert reset.status_code == 200
        assert reset.json().keys() == {"observation", "reward", "done", "metadata"}
        step = await http.post("/step", json={"action": {"amount": 1}})
        assert step.json()["observation"]["total"] == 1
        assert (await http.post("/reset")).status_code == 200
        assert (await http.get("/state")).status_code == 200
        assert not kind.alive


@on_loop
async def test_the_reward_is_a_float_and_metadata_null_when_empty() -> None:
    async with client(Inline) as http:
        reply = (await http.post("/step", json={"action": {"amount": 1}})).text
        assert '"reward":1.0' in reply
        assert reply.endswith('"metadata":null}')


BODIES: list[tuple[str, bytes, str, list[Any]]] = [
    ("/step", b"", "missing", ["body"]),
    ("/step", b"{}", "missing", ["body", "action"]),
    ("/step", b"[]", "model_attributes_type", ["body"]),
    ("/step", b'{"action":[]}', "dict_type", ["body", "action"]),
    ("/step", b'{"action":{}}', "missing", ["amount"]),
    ("/step", b'{"action":{"amount":"x"}}', "int_parsing", ["amount"]),
    ("/step", b'{"action":{"amount":1,"more":1}}', "extra_forbidden", ["more"]),
    ("/step", b'{"action":{"amount":1},"timeout_s":0}', "greater_than", ["body", "timeout_s"]),
    ("/step", b'{"action":{"amount":1},"timeout_s":"x"}', "float_parsing", ["body", "timeout_s"]),
    ("/step", b'{"action":{"amount":1},"request_id":5}', "string_type", ["body", "request_id"]),
    ("/reset", b"[]", "model_attributes_type", ["body"]),
    ("/reset", b'{"seed":-1}', "greater_than_equal", ["body", "seed"]),
    ("/reset", b'{"seed":"x"}', "int_parsing", ["body", "seed"]),
    ("/reset", b'{"seed":1.5}', "int_from_float", ["body", "seed"]),
    (
        "/reset",
        json.dumps({"episode_id": "x" * 256}).encode(),
        "string_too_long",
        ["body", "episode_id"],
    ),
]


@pytest.mark.parametrize(("path", "body", "kind", "place"), BODIES)
@on_loop
async def test_a_bad_body_is_a_422_with_the_fields_path(
    path: str, body: bytes, kind: str, place: list[Any]
) -> None:
    async with client(Inline) as http:
        reply = await http.post(path, content=body)
        assert reply.status_code == 422
        (fault,) = reply.json()["detail"]
        assert (fault["type"], fault["loc"]) == (kind, place)
        assert not Inline.alive


@pytest.mark.parametrize("path", ["/reset", "/step", "/mcp"])
@pytest.mark.parametrize("body", [b for b in BROKEN if b.strip()], ids=lambda b: repr(b[:12]))
@on_loop
async def test_broken_text_is_never_a_server_error(path: str, body: bytes) -> None:
    async with client(Inline) as http:
        reply = await http.post(path, content=body)
        assert reply.status_code == (200 if path == "/mcp" else 422)
        assert reply.headers["content-type"].startswith("application/json")
        reply.json()


NAMES = st.sampled_from(
    [
        *("action", "seed", "episode_id", "timeout_s", "request_id", "self", "start", "bonus"),
        *("mode", "operation", "function", "__class__", "__init__", "__struct_fields__"),
    ]
)
BODY = JSON | st.dictionaries(
    NAMES | st.text(), JSON | st.fixed_dictionaries({"amount": JSON}), max_size=6
)


class Open(Inline):
    """Takes any option, and echoes it."""

    def reset(self, seed: int | None = None, **options: Any) -> Any:  # type: ignore[override]
        return Count(metadata=options)

    def step(self, action: Add, **options: Any) -> Any:  # type: ignore[override]
        return Count(metadata=options)


@given(
    st.sampled_from(["/reset", "/step", "/mcp", "/state?session_id=%00", "/reset?session_id=x"]),
    st.sampled_from([Inline, Open, Awaiting, Toolbox]),
    st.binary() | BODY.map(lambda body: json.dumps(body).encode()),
)
def test_no_strangers_bytes_make_a_server_error(path: str, kind: Any, body: bytes) -> None:
    kind.alive.clear()

    @on_loop
    async def story() -> None:
        async with client(kind) as http:
            verb = http.get if path.startswith("/state") else http.post
            reply = await verb(path) if verb is http.get else await http.post(path, content=body)
            assert reply.status_code < 500, reply.text
            reply.json()

    story()
    assert not kind.alive


@pytest.mark.parametrize("depth", range(100, 1300, 50))
@on_loop
async def test_no_depth_is_read_that_cannot_be_answered(depth: int) -> None:
    nested = "[" * depth + "]" * depth
    async with client(Open) as http:
        for path, body in (
            ("/reset", f'{{"a":{nested}}}'),
            ("/reset", f'{{"seed":{nested}}}'),
            ("/step", f'{{"action":{{"amount":1}},"a":{nested}}}'),
            ("/step", f'{{"action":{{"amount":{nested}}}}}'),
            ("/mcp", f'{{"a":{nested}}}'),
        ):
            assert (await http.post(path, content=body)).status_code < 500, path


@on_loop
async def test_a_body_over_the_limit_is_a_413() -> None:
    async with client(Inline, max_message_bytes=1000) as http:
        for path in ("/reset", "/step", "/mcp"):
            assert (await http.post(path, content=b"x" * 1001)).status_code == 413
            assert (await http.post(path, content=_drops())).status_code == 413
        assert (await http.post("/reset", content=b'{"a":"' + b"x" * 900 + b'"}')).is_success


async def _drops() -> AsyncIterator[bytes]:
    for _ in range(200):
        yield b"x" * 10


@on_loop
async def test_a_capacity_refusal_is_a_503_with_a_hint_when_to_come_back() -> None:
    async with client(Inline, max_concurrent_envs=1) as http:
        created = await http.post("/mcp", json=rpc("openenv/session/create"))
        refused = await http.post("/reset")
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        assert "Server at capacity: 1/1" in refused.json()["detail"]
        session_id = created.json()["result"]["session_id"]
        await http.post("/mcp", json=rpc("openenv/session/close", session_id=session_id))
        assert (await http.post("/reset")).is_success


def rpc(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


@ALL
@on_loop
async def test_a_named_session_is_an_episode_over_many_requests(kind: Any) -> None:
    async with client(kind) as http:
        created = await http.post("/mcp", json=rpc("openenv/session/create"))
        query = {"session_id": created.json()["result"]["session_id"]}
        body = {"action": {"amount": 1}}
        early = await http.post("/step", params=query, json=body)
        assert (early.status_code, "reset" in early.json()["detail"]) == (409, True)
        await http.post("/reset", params=query)
        for total in (1, 2, 3):
            reply = await http.post("/step", params=query, json=body)
            assert reply.json()["observation"]["total"] == total
        assert (await http.post("/step", params=query, json=body)).status_code == 409
        assert (await http.get("/state", params=query)).json()["step_count"] == 3 or kind is None


@on_loop
async def test_an_unknown_session_is_a_404() -> None:
    async with client(Inline) as http:
        for path in ("/reset", "/step"):
            reply = await http.post(
                path, params={"session_id": "x"}, json={"action": {"amount": 1}}
            )
            assert reply.status_code == 404
        assert (await http.get("/state", params={"session_id": "x"})).status_code == 404


@pytest.mark.parametrize("mode", ["simulation", "production"])
@on_loop
async def test_the_authors_text_does_not_leave_production(mode: str) -> None:
    async with client(Secretive, mode=mode) as http:
        replies = [
            await http.get("/metadata"),
            await http.post("/mcp", json=rpc("tools/list")),
            await http.post("/reset"),
            await http.get("/state"),
        ]
        texts = " ".join(reply.text for reply in replies)
        assert ("secret" in texts) is (mode == "simulation")
        assert replies[0].status_code == 500
        replies[0].json()


@pytest.mark.parametrize("text", ["file \udcff", ""])
@on_loop
async def test_an_authors_error_is_a_500_in_json_whatever_it_says(text: str) -> None:
    class Failing(Inline):
        def reset(self, seed: int | None = None, start: int = 0) -> Any:
            raise ValueError(text)

    async with client(Failing) as http:
        reply = await http.post("/reset")
        assert reply.status_code == 500
        assert reply.json()["detail"]


@on_loop
async def test_what_is_not_there_is_told_as_openenv_tells_it() -> None:
    async with client(Inline) as http:
        assert (await http.get("/nowhere")).json() == {"detail": "Not Found"}
        wrong = await http.get("/reset")
        assert (wrong.status_code, wrong.json()) == (405, {"detail": "Method Not Allowed"})
        assert wrong.headers["allow"] == "POST"


@on_loop
async def test_what_the_server_says_of_itself() -> None:
    async with client(Inline, env_name="counting") as http:
        assert (await http.get("/health")).json() == {"status": "healthy"}
        assert (await http.get("/list_environments")).json() == ["counting"]
        assert (await http.get("/metadata")).json()["name"] == "Inline"
        schema = (await http.get("/schema")).json()
        assert schema.keys() == {"action", "observation", "state", "reset_observation"}
        assert schema["action"]["properties"]["amount"] == {"type": "integer"}
        document = (await http.get("/openapi.json")).json()
        assert {"/reset", "/step", "/state", "/health"} <= document["paths"].keys()
        assert "/reset" in (await http.get("/docs")).text


@on_loop
async def test_the_schema_of_a_reset_is_that_of_what_it_shows() -> None:
    for kind, title in ((Inline, "Count"), (Toolbox, "Observation")):
        async with client(kind) as http:
            schema = (await http.get("/schema")).json()
            assert schema["reset_observation"]["title"] == title


@on_loop
async def test_requests_that_end_early_leave_nothing(gate: None) -> None:
    async with client(Threaded) as http:
        going = asyncio.create_task(http.post("/step", json={"action": {"amount": -1}}))
        await until(Threaded.entered.is_set)
        going.cancel()
        Threaded.gate.set()
        await until(lambda: http.server.statistics().active == 0)  # type: ignore[attr-defined]
        assert not Threaded.alive


@on_loop
async def test_a_markup_name_stays_text_in_the_documents() -> None:
    async with client(Inline, env_name="<script>") as http:
        assert "<script>" not in (await http.get("/docs")).text


def test_a_plain_environment_needs_no_types() -> None:
    class Plain(Environment):  # type: ignore[type-arg]
        def reset(self) -> Any:
            return {}

        def step(self, action: Any) -> Any:
            return {}

    @on_loop
    async def story() -> None:
        async with client(Plain, max_concurrent_envs=1) as http:
            assert (await http.post("/step", json={"action": {}})).json()["done"] is False

    story()


@pytest.mark.parametrize("path", ["/reset", "/step", "/state"])
@pytest.mark.parametrize("foreign", [{"host": "evil.example"}, {"origin": "https://evil.example"}])
@on_loop
async def test_no_web_page_reaches_a_control_of_a_local_server(
    path: str, foreign: dict[str, str]
) -> None:
    async with client(Inline) as http:
        local = "http://127.0.0.1:8000"
        method = "GET" if path == "/state" else "POST"
        refused = await http.request(method, f"{local}{path}", headers=foreign)
        assert refused.status_code in (403, 421)
        assert http.server.statistics().opened == 0  # type: ignore[attr-defined]
