"""Every way to reach an environment, as a ground for the machine of `openenv_lite.testing`."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from openenv_lite import create_app
from openenv_lite.client import GenericEnvClient, VectorEnvClient
from openenv_lite.errors import OpenEnvError
from openenv_lite.testing.comparing.machine import Draw, Party, Power
from openenv_lite.testing.comparing.script import outcome_of
from openenv_lite.testing.sessions.game import Game
from openenv_lite.testing.sessions.seen import Seen
from openenv_lite.testing.subject import subject_of
from tests.client.conftest import socket_path
from tests.client.serving import serve
from tests.leaks import until
from tests.server.serving import serving
from tests.testing.parties import ClientParty, LaneParty, PostParty
from tests.testing.worlds import ACTIONS

__all__ = ["GROUNDS", "OneClass"]

MOST_SESSIONS = 100
WAYS = ("a tool", "a JSON-RPC method", "a type of message")

Place = dict[str, Any]
"""Arguments of a client that say where the environment is."""


class OneClass:
    """A ground of one class at one place; a subclass says by which client it is reached.

    Args:
        kind: The environment's class.
        place: Where it is.
        app: Its server's; None where there is none.
    """

    most = 3
    ways: tuple[str, ...] = WAYS
    powers: frozenset[Power] = frozenset()

    def __init__(self, kind: type, place: Place, app: Any) -> None:
        self.kind = kind
        self.place = place
        self.app = app
        self.runner = asyncio.Runner()
        self._subject = subject_of(kind)
        if self._subject.acts_by_tools:
            self.powers = self.powers | {Power.TOOLS}

    def open(self, count: int) -> Any:
        """See `Ground`."""
        raise NotImplementedError

    def alone(self) -> Game:
        """See `Ground`: a session of this process, without a wire."""
        return self._subject.open()

    def action(self, draw: Draw, party: Party, number: int, last: Seen) -> Any:
        """See `Ground`."""
        return draw(next(ACTIONS[each] for each in self.kind.__mro__ if each in ACTIONS))

    def sessions(self) -> int:
        """How many the server has."""
        active: int = self.app.state.server.statistics().active
        return active

    def expect_sessions(self, count: int) -> None:
        """Wait until the server has exactly so many."""
        self.runner.run(
            until(lambda: self.sessions() == count, lambda: f"{self.sessions()}, not {count}")
        )

    def close(self) -> None:
        """End what is its own."""
        self.runner.close()
        self._subject.close()


class Clients(OneClass):
    """A client of OpenEnv's protocol for each session."""

    powers = frozenset({Power.CALLING_OFF, Power.CUTTING})

    def open(self, count: int) -> "ClientParty":
        """See `Ground`."""
        return ClientParty([GenericEnvClient(**self.place) for _ in range(count)], self.runner)


class Lanes(OneClass):
    """One connection with a lane for each session of a party."""

    powers = frozenset({Power.SNAPSHOTS, Power.CALLING_OFF, Power.CUTTING, Power.SHARING})

    def open(self, count: int) -> "LaneParty":
        """See `Ground`."""
        client = VectorEnvClient(**self.place, num_envs=count)
        return LaneParty(client, self.runner)


class LanesHere(Lanes):
    """Lanes of this process, without a server: each client has a pool of its own, and no agent."""

    ways = ("a type of message",)
    powers = frozenset({Power.SNAPSHOTS, Power.CALLING_OFF})

    def sessions(self) -> int:
        """Nobody could be asked: there is no server."""
        return 0

    def expect_sessions(self, count: int) -> None:
        """See `sessions`."""


class LanesBlocking(Lanes):
    """The same by the client for code without an event loop, where nothing can be called off."""

    powers = frozenset({Power.SNAPSHOTS, Power.SHARING})

    def open(self, count: int) -> "LaneParty":
        """See `Ground`."""
        client = VectorEnvClient(**self.place, num_envs=count).sync()
        return LaneParty(client, _NoRunner())  # type: ignore[arg-type]


class _NoRunner:
    """For calls that have returned already."""

    def run(self, value: Any) -> Any:
        return value


class Posts(OneClass):
    """OpenEnv's HTTP routes for the trainer, and MCP's newest revision for the agent."""

    ways = ("a tool", "a JSON-RPC method")
    _client: httpx.AsyncClient | None = None

    def open(self, count: int) -> "PostParty":
        """See `Ground`."""
        if self._client is None:
            app = self.place.get("app")
            transport = httpx.ASGITransport(app) if app is not None else None
            url = self.place.get("base_url", "http://localhost")
            self._client = httpx.AsyncClient(transport=transport, base_url=url)
        return PostParty(self._client, count, self.runner)

    def close(self) -> None:
        """End what is its own."""
        if self._client is not None:
            self.runner.run(self._client.aclose())
        super().close()

    def alone(self) -> Any:
        """See `Ground`; its tools are called as an agent calls them, which learns of no reward."""
        return _AsAgent(super().alone())


class _AsAgent:
    def __init__(self, game: Any) -> None:
        self._game = game

    def __getattr__(self, name: str) -> Any:
        return getattr(self._game, name)

    def call_tool(self, name: str, arguments: dict[str, Any]) -> Any:
        """A refusal is told to the model as a result of the tool."""
        seen = outcome_of(lambda: self._game.call_tool(name, arguments))
        if isinstance(seen, OpenEnvError):
            return {"structured": None, "is_error": True}
        result = seen.observation["result"]
        return {"structured": result["structured_content"], "is_error": result["is_error"]}


@contextlib.contextmanager
def _here(kind: type) -> Iterator[tuple[Place, Any]]:
    yield {"env": kind}, None


@contextlib.contextmanager
def _in_memory(kind: type) -> Iterator[tuple[Place, Any]]:
    app = create_app(kind, max_concurrent_envs=MOST_SESSIONS)
    yield {"app": app}, app


@contextlib.contextmanager
def _over_tcp(kind: type) -> Iterator[tuple[Place, Any]]:
    with serving(create_app(kind, max_concurrent_envs=MOST_SESSIONS)) as running:
        yield {"base_url": running.http}, running.app


@contextlib.contextmanager
def _over_unix(kind: type) -> Iterator[tuple[Place, Any]]:
    app = create_app(kind, max_concurrent_envs=MOST_SESSIONS)
    with contextlib.ExitStack() as stack, serve(app, socket_path(stack)) as url:
        yield {"base_url": url}, app


_PLACES = {"app": _in_memory, "tcp": _over_tcp}
_FORMS = {"msgpack": {"encoding": "msgpack"}, "json": {"encoding": "json"}}

_Way = tuple[type[OneClass], Callable[[type], Any], dict[str, Any]]

_WAYS: dict[str, _Way] = {
    "lanes here": (LanesHere, _here, {}),
    "plain unix": (Clients, _over_unix, {}),
    "lanes unix": (Lanes, _over_unix, {}),
    "lanes blocking tcp": (LanesBlocking, _over_tcp, {}),
    **{f"plain {name}": (Clients, place, {}) for name, place in _PLACES.items()},
    **{f"http and mcp {name}": (Posts, place, {}) for name, place in _PLACES.items()},
    **{
        f"lanes {form} {name}": (Lanes, _PLACES[name], _FORMS[form])
        for form, name in itertools.product(_FORMS, _PLACES)
    },
}


def _ground(way: _Way) -> Callable[[type], Any]:
    made, place, options = way

    @contextlib.contextmanager
    def ground(kind: type) -> Iterator[OneClass]:
        with place(kind) as (where, app):
            tested = made(kind, {**where, **options}, app)
            try:
                yield tested
            finally:
                tested.close()

    return ground


GROUNDS: dict[str, Callable[[type], Any]] = {name: _ground(way) for name, way in _WAYS.items()}
"""By name, from a class to a context manager that gives the ground."""
