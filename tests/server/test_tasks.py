"""The task routes: bounded, apart from the episodes, a trainer's alone."""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any, ClassVar
from urllib.parse import quote

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from openenv_lite import Environment, Observation, create_app
from openenv_lite.client import GenericEnvClient, VectorEnvClient
from openenv_lite.environment import TASK_METHODS
from openenv_lite.server import HTTPEnvServer
from openenv_lite.types import ServerMode
from tests.environments import Inline
from tests.leaks import on_loop, until
from tests.manual_clock import ManualClock
from tests.server.test_http import BODY, client

SPLITS = {"train": 5, "test": 2}
SIMULATION = ServerMode.SIMULATION
HERE: dict[str, Any] = {"split": "test", "index": 1}


class Task(msgspec.Struct):
    id: str
    answer: int


class Quiz(Environment[Any, Any, Any]):
    """On a thread; `gate` holds `list_tasks` up while it is closed."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING: ClassVar[bool] = True
    alive: ClassVar[set["Quiz"]] = set()
    built: ClassVar[list[int]] = []
    gate: ClassVar[threading.Event] = threading.Event()

    def __init__(self) -> None:
        self.alive.add(self)
        self.built.append(threading.get_ident())
        self.chosen = ""

    def list_splits(self) -> list[Any]:
        return ["train", {"name": "test", "type": "test"}]

    def list_tasks(self, split: str) -> list[Task]:
        assert self.gate.wait(20)
        return [self.get_task(split, index) for index in range(self.count(split))]

    def num_tasks(self, split: str) -> int:
        return self.count(split)

    def count(self, split: str) -> int:
        if split not in SPLITS:
            raise IndexError(split)
        return SPLITS[split]

    def get_task(self, split: str, index: int) -> Task:
        return Task(f"{split}-{range(self.count(split))[index]}", index)

    def get_task_range(self, split: str, start: int | None, stop: int | None) -> list[Task]:
        return [self.get_task(split, each) for each in range(self.count(split))[start:stop]]

    def reset(self, split: str = "train", index: int = 0) -> Any:
        self.chosen = self.get_task(split, index).id
        return Observation(metadata={"task": self.chosen})

    def step(self, action: Any) -> Any:
        return Observation(reward=1.0, done=True, metadata={"task": self.chosen})

    def close(self) -> None:
        self.alive.discard(self)


class OnLoop(Quiz):
    BLOCKING = False


class Awaited(Quiz):
    async def reset(self, split: str = "train", index: int = 0) -> Any:
        return super().reset(split, index)

    async def step(self, action: Any) -> Any:
        return super().step(action)

    async def num_tasks(self, split: str) -> int:  # type: ignore[override]
        await asyncio.sleep(0)
        return self.count(split)


class Alone(Quiz):
    SUPPORTS_CONCURRENT_SESSIONS = False


class Closing(Quiz):
    def get_task(self, split: str, index: int) -> Any:
        raise OSError("the data set is gone")


ALL = pytest.mark.parametrize("kind", [Quiz, OnLoop, Awaited])


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    Quiz.alive.clear()
    Quiz.built.clear()
    Quiz.gate.set()
    yield
    assert not Quiz.alive


@ALL
@on_loop
async def test_every_question_has_its_answer(kind: Any) -> None:
    async with client(kind, env_name="quiz") as http:
        splits = [{"name": name, "type": name} for name in SPLITS]
        tasks = [{"id": f"test-{n}", "answer": n} for n in range(2)]
        assert (await http.get("/quiz/splits")).json() == splits
        for path, asked, told in [
            ("tasks", {}, {"tasks": tasks, "env_name": "quiz"}),
            ("num_tasks", {}, {"num_tasks": 2}),
            ("task", {"index": 1}, {"task": tasks[1]}),
            ("task_range", {"start": 1}, {"tasks": tasks[1:]}),
        ]:
            reply = await http.post(f"/quiz/{path}", json={"split": "test", **asked})
            assert (reply.status_code, reply.json()) == (200, told)
        beyond = await http.post("/quiz/task", json={"split": "test", "index": 2})
        assert (beyond.status_code, beyond.json()) == (400, {"detail": "Invalid task index"})
        assert len(Quiz.built) == 1


@on_loop
async def test_a_class_that_tells_nothing_is_not_built_for_it() -> None:
    async with client(Inline, env_name="plain") as http:
        for path in ("tasks", "num_tasks", "task", "task_range"):
            reply = await http.post(f"/plain/{path}", json={"split": "a", "index": 0})
            assert reply.status_code in (422, 501)
        assert (await http.get("/plain/splits")).status_code == 501
        assert http.server.statistics().opened == 0  # type: ignore[attr-defined]


@on_loop
async def test_in_production_there_is_no_such_route() -> None:
    app = create_app(Quiz, env_name="quiz", mode="production")
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        assert (await http.get("/quiz/splits")).status_code == 404
        assert (await http.post("/quiz/task", json=HERE)).status_code == 404
        assert not any(
            "splits" in path for path in (await http.get("/openapi.json")).json()["paths"]
        )
    assert not Quiz.built


@on_loop
async def test_web_pages_are_kept_out_as_from_the_other_controls() -> None:
    async with client(Quiz, env_name="quiz") as http:
        elsewhere = {"origin": "http://elsewhere.example"}
        refused = [
            await http.get("/state", headers=elsewhere),
            await http.get("/quiz/splits", headers=elsewhere),
            await http.post("/quiz/task", json=HERE, headers=elsewhere),
        ]
        assert [each.status_code for each in refused] == [403] * 3
        assert not Quiz.built


@on_loop
async def test_a_plain_provider_holds_up_nobody_else() -> None:
    for kind in (Quiz, Awaited):
        Quiz.gate.clear()
        async with client(kind, env_name="quiz") as http:
            asking = asyncio.create_task(http.post("/quiz/tasks", json={"split": "train"}))
            await until(lambda: http.server.statistics().opened == 1)  # type: ignore[attr-defined]
            assert (await http.get("/health")).is_success
            assert (await http.post("/reset", json=HERE)).is_success
            assert not asking.done()
            Quiz.gate.set()
            assert len((await asking).json()["tasks"]) == 5


@on_loop
async def test_one_environment_answers_many_who_ask_at_once() -> None:
    async with client(Quiz, env_name="quiz") as http:
        asking = [http.post("/quiz/task", json=HERE) for _ in range(20)]
        assert {each.status_code for each in await asyncio.gather(*asking)} == {200}
        statistics = http.server.statistics()  # type: ignore[attr-defined]
        assert (statistics.opened, statistics.active) == (1, 1)


@on_loop
async def test_what_is_kept_for_questions_makes_room_before_anybody_else() -> None:
    app = create_app(Quiz, env_name="quiz", max_concurrent_envs=2, clock=ManualClock())
    pool = app.state.server.pool
    lost = object()
    session = await pool.open_held(SIMULATION, "lost", lost)
    pool.lose("lost", lost)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        assert (await http.post("/quiz/task", json=HERE)).is_success
        assert pool.statistics().active == 2
        await pool.open(SIMULATION)
        assert session.is_open
        assert (await http.post("/quiz/task", json=HERE)).is_success  # of one that is played
        assert (pool.statistics().active, session.is_open) == (2, True)
    await app.state.server.aclose()


@on_loop
async def test_what_is_kept_for_questions_ends_when_nobody_asks() -> None:
    clock = ManualClock()
    async with client(Quiz, env_name="quiz", clock=clock, resume_grace_s=60) as http:
        assert (await http.get("/quiz/splits")).is_success
        await clock.advance(90)
        await until(lambda: not Quiz.alive)
        assert (await http.get("/quiz/splits")).is_success
        assert len(Quiz.built) == 2


@on_loop
async def test_a_trainer_that_plays_the_only_environment_may_ask_it() -> None:
    app = create_app(Alone, env_name="quiz")
    transport = httpx.ASGITransport(app)
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://test") as http,
        GenericEnvClient(app=app) as env,
    ):
        first = await env.reset(split="test", index=1)
        assert (await http.post("/quiz/num_tasks", json={"split": "test"})).json() == {
            "num_tasks": 2
        }
        result = await env.step({})
        assert len(Quiz.built) == 1
    assert [each.metadata for each in (first, result)] == [{"task": "test-1"}] * 2
    await app.state.server.aclose()


@on_loop
async def test_where_every_environment_is_busy_the_question_is_refused() -> None:
    async with client(Alone, env_name="quiz", max_concurrent_envs=1) as http:
        pool = http.server.pool  # type: ignore[attr-defined]
        session = await pool.open(SIMULATION)
        Quiz.gate.clear()
        busy = asyncio.create_task(session.ask("list_tasks", "train", form=lambda each: b""))
        await until(lambda: session.is_busy)
        refused = await http.post("/quiz/task", json=HERE)
        assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
        Quiz.gate.set()
        await busy


@on_loop
async def test_a_named_session_answers_itself() -> None:
    async with client(Quiz, env_name="quiz") as http:
        session = await http.server.pool.open(SIMULATION)  # type: ignore[attr-defined]
        assert (await http.get("/quiz/splits", params={"session_id": session.id})).is_success
        assert (await http.get("/quiz/splits", params={"session_id": "none"})).status_code == 404
        assert len(Quiz.built) == 1


@on_loop
async def test_what_the_author_raises_is_told_and_nothing_leaks() -> None:
    async with client(Closing, env_name="quiz") as http:
        for _ in range(3):
            reply = await http.post("/quiz/task", json=HERE)
            assert (reply.status_code, reply.json()) == (500, {"detail": "the data set is gone"})
        assert (await http.post("/quiz/num_tasks", json={"split": "test"})).is_success
        assert len(Quiz.built) == 1


@given(
    st.sampled_from(["tasks", "num_tasks", "task", "task_range"]),
    st.sampled_from([Quiz, OnLoop, Awaited]),
    st.binary()
    | BODY.map(json.dumps).map(str.encode)
    | st.fixed_dictionaries(
        {},
        optional={
            "split": st.sampled_from([*SPLITS, "none"]) | st.text(),
            **{
                name: st.integers() | st.floats() | st.none() for name in ("index", "start", "stop")
            },
        },
    )
    .map(json.dumps)
    .map(str.encode),
)
def test_no_strangers_bytes_make_a_server_error(path: str, kind: Any, body: bytes) -> None:
    @on_loop
    async def story() -> None:
        async with client(kind, env_name="quiz") as http:
            reply = await http.post(f"/quiz/{path}", content=body)
            assert reply.status_code in (200, 400, 422), reply.text
            reply.json()

    story()
    assert not Quiz.alive


NAMES = [
    "a/b",
    "{x}",
    "{x:path}",
    "ä ö",
    "a.b+c*",
    "..",
    "reset",
    "mcp",
    "ws",
    "100%",
    "a?b#c",
    "\n",
]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_breaks_or_takes_another_route(name: str) -> None:
    server = HTTPEnvServer(Quiz, env_name=name)
    app = Starlette(routes=[Route("/{user}/tasks", _theirs, methods=["POST"])])
    server.register_routes(app)
    with TestClient(app) as http:
        assert http.get("/list_environments").json() == [name]
        assert http.post("/somebody/tasks", json={"split": "test"}).json() == {"user": "somebody"}
        assert http.post("/reset", json=HERE).is_success
        assert http.get("/health").is_success
        assert http.get("/nowhere/splits").status_code == 404
        if name != "..":  # which a client resolves before it asks
            assert len(http.get(f"/{quote(name, safe='')}/splits").json()) == 2


async def _theirs(request: Any) -> Any:
    return JSONResponse({"user": request.path_params["user"]})


@ALL
def test_a_task_is_chosen_over_every_wire(kind: Any) -> None:
    seen = []
    with TestClient(create_app(kind)) as http:
        seen.append(http.post("/reset", json=HERE).json()["metadata"])
    with GenericEnvClient(app=create_app(kind)).sync() as env:
        seen.append(env.reset(**HERE).metadata)
    with VectorEnvClient[Any, Any, Any](app=create_app(kind), num_envs=2).sync() as envs:
        seen += envs.reset(**HERE).metadata.values()
    assert seen == [{"task": "test-1"}] * 4


def test_every_method_of_a_provider_has_a_route() -> None:
    routes = {route.path for route in HTTPEnvServer(Quiz).routes() if isinstance(route, Route)}
    told = {path.rpartition("/")[2] for path in routes if "{env_name}" in path}
    assert len(told) == len(TASK_METHODS)
