"""The same seeds and actions give the same trajectory, however they travel and whatever else runs.

Scalar or vector, in process or through a server, JSON or msgpack, over `/ws` or HTTP: each carrier
plays the same episodes, one move of one of them at a time, in any order.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, ClassVar, Protocol

import httpx
import hypothesis
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openenv_lite import Action, Environment, Observation, State, create_app
from openenv_lite.client import GenericEnvClient, VectorEnvClient
from openenv_lite.types import StepResult
from tests.leaks import settled
from tests.server.serving import Served, serving

COUNT = 3


class Push(Action):
    """How hard, and where to."""

    force: float
    aims: list[int] = []


class Spot(msgspec.Struct):
    """Part of what is seen."""

    name: str
    at: tuple[float, float]
    inner: dict[str, list[float | None]]


class World(Observation):
    """Nested, with numbers of all kinds, text and holes."""

    spots: list[Spot]
    speed: float
    count: int
    note: str | None = None


class Drawing(Environment[Push, World, State]):
    """Draws all it shows from `self.rng`; it ends, or is cut off, at random."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING: ClassVar[bool] = False

    def reset(self, scale: float = 1.0) -> Any:
        self.scale = scale
        self.speed = self.rng.gauss(0, scale)
        return self.seen()

    def step(self, action: Push) -> Any:
        self.speed += action.force * self.rng.random() + sum(action.aims)
        end = self.rng.random()
        seen = self.seen()
        seen.done, seen.truncated = end < 0.25, end < 0.1
        seen.reward = self.rng.choice([None, self.speed, self.rng.random(), 1.0])
        return seen

    def seen(self) -> World:
        draw = self.rng.random
        names = self.rng.choices(["", "é", "日本", "a\u0000b", '"'], k=self.rng.randrange(3))
        spots = [Spot(each, (draw(), -draw()), {each: [draw(), None]}) for each in names]
        note = self.rng.choice([None, "note"])
        count = self.rng.getrandbits(60)
        told = {"draw": draw(), "list": [1, "x"]} if draw() < 0.3 else {}
        return World(spots=spots, speed=self.speed, count=count, note=note, metadata=told)


class DrawingOnThread(Drawing):
    """On a thread of its own."""

    BLOCKING: ClassVar[bool] = True


class DrawingAsync(Drawing):
    """Awaited, with a pause in which others go on."""

    async def step(self, action: Push) -> Any:
        await asyncio.sleep(0)
        return super().step(action)


class Carrier(Protocol):
    """Plays `COUNT` episodes; whatever it is asked for some of them, it gives for each."""

    async def reset(self, lanes: Sequence[int], seeds: Sequence[int | None], scale: float) -> Any:
        """Begin episodes."""

    async def step(self, lanes: Sequence[int], moves: Sequence[Any]) -> list[Any]:
        """One move in each."""


class Scalar:
    """A client of one environment for each."""

    def __init__(self, clients: list[Any]) -> None:
        self.clients = clients

    async def reset(self, lanes: Sequence[int], seeds: Sequence[int | None], scale: float) -> Any:
        asked = zip(lanes, seeds, strict=True)
        return [told(await self.clients[n].reset(**_given(seed, scale))) for n, seed in asked]

    async def step(self, lanes: Sequence[int], moves: Sequence[Any]) -> list[Any]:
        asked = zip(lanes, moves, strict=True)
        return [told(await self.clients[n].step(move)) for n, move in asked]


class OverHTTP:
    """OpenEnv's routes, which name a session."""

    def __init__(self, client: httpx.AsyncClient, sessions: list[str]) -> None:
        self.client = client
        self.sessions = sessions

    async def reset(self, lanes: Sequence[int], seeds: Sequence[int | None], scale: float) -> Any:
        asked = zip(lanes, seeds, strict=True)
        return [await self.post("/reset", n, _given(seed, scale)) for n, seed in asked]

    async def step(self, lanes: Sequence[int], moves: Sequence[Any]) -> list[Any]:
        asked = zip(lanes, moves, strict=True)
        return [await self.post("/step", n, {"action": move}) for n, move in asked]

    async def post(self, path: str, lane: int, body: Any) -> Any:
        where = {"session_id": self.sessions[lane]}
        reply = await self.client.post(path, json=body, params=where)
        assert reply.status_code == 200, reply.text
        return told(msgspec.json.decode(reply.content, type=_OverHTTP))


class _OverHTTP(msgspec.Struct):
    """A reply, whose empty metadata is null."""

    observation: Any
    reward: float | None
    done: bool
    metadata: dict[str, Any] | None
    truncated: bool = False


class Together:
    """A client of many."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def reset(self, lanes: Sequence[int], seeds: Sequence[int | None], scale: float) -> Any:
        return each_of(await self.client.reset([*seeds], lanes=[*lanes], scale=scale), lanes)

    async def step(self, lanes: Sequence[int], moves: Sequence[Any]) -> list[Any]:
        return each_of(await self.client.step([*moves], lanes=[*lanes]), lanes)


class AsTheyCome(Together):
    """The same with `wait`: results one by one, in whatever order they are ready."""

    async def reset(self, lanes: Sequence[int], seeds: Sequence[int | None], scale: float) -> Any:
        await self.client.send_reset([*seeds], lanes=[*lanes], scale=scale)
        return await self.received(lanes)

    async def step(self, lanes: Sequence[int], moves: Sequence[Any]) -> list[Any]:
        await self.client.send([*moves], lanes=[*lanes])
        return await self.received(lanes)

    async def received(self, lanes: Sequence[int]) -> list[Any]:
        found = {}
        for _ in lanes:
            result = await self.client.recv()
            assert len(result) == 1
            found[result.lanes[0]] = told(result[0])
        return [found[lane] for lane in lanes]


class Blocking(Together):
    """The client for code without an event loop, from threads."""

    async def reset(self, lanes: Sequence[int], seeds: Sequence[int | None], scale: float) -> Any:
        reset = self.client.reset
        return each_of(await asyncio.to_thread(reset, [*seeds], [*lanes], scale=scale), lanes)

    async def step(self, lanes: Sequence[int], moves: Sequence[Any]) -> list[Any]:
        return each_of(await asyncio.to_thread(self.client.step, [*moves], [*lanes]), lanes)


def _given(seed: int | None, scale: float) -> dict[str, Any]:
    return {"scale": scale} if seed is None else {"scale": scale, "seed": seed}


def each_of(result: Any, lanes: Sequence[int]) -> list[Any]:
    assert result.lanes == [*lanes]
    return [told(result[place]) for place in range(len(result))]


def told(result: StepResult[Any] | _OverHTTP) -> Any:
    """All there is of a result; what travels beside `metadata` inside an observation too."""
    metadata = result.metadata or {}
    return result.observation, result.reward, result.done, result.truncated, metadata


Move = dict[str, Any]


class Episode:
    """One of them, as a carrier plays it; where it ends, the next move begins another."""

    def __init__(self, seed: int, scale: float, moves: list[Move]) -> None:
        self.seed, self.scale = seed, scale
        self.moves = iter(moves)
        self.story: list[Any] = []

    @property
    def is_over(self) -> bool:
        return bool(self.story) and self.story[-1][2]


async def play(carrier: Carrier, episodes: list[Episode], lanes: Sequence[int]) -> None:
    """One move of these."""
    new = [lane for lane in lanes if not episodes[lane].story or episodes[lane].is_over]
    going = [lane for lane in lanes if lane not in new]
    seeds = [None if episodes[lane].story else episodes[lane].seed for lane in new]
    for scale in {episodes[lane].scale for lane in new}:
        alike = [lane for lane in new if episodes[lane].scale == scale]
        some = [seeds[new.index(lane)] for lane in alike]
        for lane, seen in zip(alike, await carrier.reset(alike, some, scale), strict=True):
            episodes[lane].story.append(seen)
    moves = {lane: next(episodes[lane].moves, None) for lane in going}
    left = [lane for lane in going if moves[lane] is not None]
    results = await carrier.step(left, [moves[lane] for lane in left]) if left else []
    for lane, seen in zip(left, results, strict=True):
        episodes[lane].story.append(seen)


@asynccontextmanager
async def in_process(kind: Any) -> AsyncIterator[dict[str, Carrier]]:
    """Every carrier that needs no socket; those with a server share one."""
    app = create_app(kind, max_concurrent_envs=100)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(GenericEnvClient(app=app)) for _ in range(COUNT)]
        carriers: dict[str, Carrier] = {"scalar": Scalar(clients)}
        carriers["http"] = await stack.enter_async_context(over_http(app))
        for encoding in ("json", "msgpack"):
            for place in ({"app": app}, {"env": kind}):
                options: Any = {"num_envs": COUNT, "encoding": encoding, **place}
                name = f"{encoding} {next(iter(place))}"
                client = await stack.enter_async_context(VectorEnvClient(**options))
                carriers[name] = Together(client)
                options["batch_size"] = 1
                one_by_one = await stack.enter_async_context(VectorEnvClient(**options))
                carriers[f"{name} one by one"] = AsTheyCome(one_by_one)
        yield carriers
    await app.state.server.aclose()
    await settled()


@asynccontextmanager
async def over_http(app: Any) -> AsyncIterator[OverHTTP]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        call = {"jsonrpc": "2.0", "id": 1, "method": "openenv/session/create"}
        made = [(await client.post("/mcp", json=call)).json() for _ in range(COUNT)]
        yield OverHTTP(client, [each["result"]["session_id"] for each in made])


MOVES = st.lists(
    st.fixed_dictionaries(
        {"force": st.floats(-100, 100)}, optional={"aims": st.lists(st.integers(-9, 9), max_size=3)}
    ),
    max_size=8,
)
EPISODES = st.lists(
    st.tuples(st.integers(0, 2**32), st.sampled_from([1.0, 0.1]), MOVES),
    min_size=COUNT,
    max_size=COUNT,
)
ORDER = st.lists(
    st.tuples(st.integers(0, 20), st.lists(st.sampled_from(range(COUNT)), unique=True)),
    max_size=60,
)


async def compared(
    carriers: dict[str, Carrier], drawn: list[Any], order: list[tuple[int, list[int]]]
) -> None:
    """Play by all carriers, in this order first and then to the end; then look."""
    names = [*carriers]
    stories = {name: [Episode(*each) for each in drawn] for name in names}
    for place, lanes in order:
        name = names[place % len(names)]
        await play(carriers[name], stories[name], lanes)
    for _ in range(2 * max(len(moves) for _, _, moves in drawn) + 2):
        await asyncio.gather(*(play(carriers[n], stories[n], range(COUNT)) for n in names))
    expected = [shortened(each, drawn) for each in stories[names[0]]]
    for name in names[1:]:
        assert [shortened(each, drawn) for each in stories[name]] == expected, name


def shortened(episode: Episode, drawn: list[Any]) -> list[Any]:
    """Up to its last move; idle turns may have begun more episodes in one than in the other."""
    moves = next(m for seed, scale, m in drawn if (seed, scale) == (episode.seed, episode.scale))
    return episode.story[: len(moves) + 1]


@pytest.mark.parametrize("kind", [Drawing, DrawingOnThread, DrawingAsync])
@settings(max_examples=15)
@given(drawn=EPISODES, order=ORDER)
def test_in_process(kind: Any, drawn: Any, order: Any) -> None:
    async def run() -> None:
        async with in_process(kind) as carriers:
            await compared(carriers, drawn, order)

    asyncio.run(run())


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serving(create_app(Drawing, max_concurrent_envs=100)) as running:
        yield running


@asynccontextmanager
async def over_sockets(url: str) -> AsyncIterator[dict[str, Carrier]]:
    """In process, then all that a socket carries."""
    async with AsyncExitStack() as stack:
        alone = VectorEnvClient(env=Drawing, num_envs=COUNT)
        carriers: dict[str, Carrier] = {
            "in process": Together(await stack.enter_async_context(alone))
        }
        clients = [await stack.enter_async_context(GenericEnvClient(url)) for _ in range(COUNT)]
        carriers["scalar"] = Scalar(clients)
        for encoding in ("json", "msgpack"):
            options: Any = {"num_envs": COUNT, "encoding": encoding}
            many = await stack.enter_async_context(VectorEnvClient(url, **options))
            carriers[encoding] = Together(many)
            blocking = VectorEnvClient(url, **options).sync()
            stack.callback(blocking.close)
            carriers[f"{encoding} blocking"] = Blocking(blocking)
        yield carriers


@settings(max_examples=15, suppress_health_check=[*hypothesis.HealthCheck])
@given(drawn=EPISODES, order=ORDER)
def test_over_sockets(server: Served, drawn: Any, order: Any) -> None:
    async def run() -> None:
        async with over_sockets(server.http) as carriers:
            await compared(carriers, drawn, order)

    asyncio.run(run())
