"""What is under test: an environment's class, an ASGI app, or a server somewhere."""

import asyncio
import functools
import os
from collections.abc import Callable, Coroutine, Set
from typing import Any, Protocol, TypeVar

import httpx

from openenv_lite import codec
from openenv_lite.blueprint import Blueprint
from openenv_lite.client.target import Target
from openenv_lite.client.vector_client import VectorEnvClient
from openenv_lite.errors import ConfigurationError, OpenEnvError
from openenv_lite.loading import is_asgi
from openenv_lite.server import create_app
from openenv_lite.testing.fitting import Fitting
from openenv_lite.testing.law import Need
from openenv_lite.testing.naming import Naming, is_found_again, named
from openenv_lite.testing.sessions.agent import AgentGame
from openenv_lite.testing.sessions.elsewhere import HASH_SEEDS, Elsewhere
from openenv_lite.testing.sessions.fetching import fetched
from openenv_lite.testing.sessions.game import ClassGame, ClassGames, Game
from openenv_lite.testing.sessions.remote import PlainClient, ServerGame
from openenv_lite.testing.sessions.requesting import Requester
from openenv_lite.testing.sessions.wire import Note, Wire
from openenv_lite.types import ServerMode

__all__ = ["ClassSubject", "ServerSubject", "Subject", "subject_of"]

T = TypeVar("T")

ASGIApp = Callable[..., Any]

_READ = {"action", "observation", "state", "reset_observation", "paths"}
"""Of a server's documents."""

_ANYWHERE = "http://environment"
"""The base URL of an app that is reached without a socket."""


class Subject(Protocol):
    """The target of a check, and what can be had of it.

    Attributes:
        name: For people.
        expression: Python that names it where it is imported.
        imports: The line that imports it; empty for none.
        schemas: JSON Schemas under `action`, `observation` and `state`.
        acts_by_tools: Its actions are tool calls.
        fitting: Tells what fits the schemas.
    """

    name: str
    expression: str
    imports: str
    schemas: dict[str, dict[str, Any]]
    acts_by_tools: bool
    fitting: Fitting

    def offers(self, need: Need) -> bool:
        """Whether it has what a law needs."""

    def prepare(self, needs: Set[Need]) -> None:
        """Begin with what takes a while to be had."""

    def open(self) -> Game:
        """A session of its own."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What the coroutine returns; it runs on the target's event loop."""

    def served(
        self, mode: ServerMode = ServerMode.SIMULATION, most: int | None = None
    ) -> "ServerSubject":
        """Its server; one of a class is in this mode, for so many sessions at once."""

    def elsewhere(self, hash_seed: str) -> Elsewhere:
        """Another process, with one of `HASH_SEEDS`; ask `offers` first."""

    def lanes(self, count: int) -> VectorEnvClient[Any, Any, Any]:
        """A client of so many lanes, not connected yet; use it on the target's event loop."""

    def close(self) -> None:
        """End everything."""


def subject_of(target: Any) -> Subject:
    """The subject for whatever a caller passed.

    Args:
        target: An environment's class or factory, or its blueprint; an ASGI app; or a URL.

    Raises:
        ConfigurationError: It is none of these, nobody answers at the URL, or the caller is on an
            event loop, which would stand still meanwhile.
    """
    if _is_on_a_loop():
        raise ConfigurationError(
            "An event loop runs here, as in a notebook: call this on a thread, as in "
            "`await asyncio.to_thread(check_environment, MyEnvironment)`"
        )
    if isinstance(target, str):
        return ServerSubject(base_url=target.rstrip("/"))
    if is_asgi(target):
        return ServerSubject(app=target)
    return ClassSubject(target if isinstance(target, Blueprint) else Blueprint(target))


def _is_on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class ClassSubject:
    """An environment's class, played in this process without a wire.

    Args:
        blueprint: What is known of it.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        self.blueprint = blueprint
        self.name = blueprint.name
        self.acts_by_tools = blueprint.has_tools
        self.schemas = {
            "action": codec.json_schema(blueprint.action_type),
            "observation": codec.json_schema(blueprint.observation_type),
            "reset_observation": codec.json_schema(blueprint.reset_type),
            "state": codec.json_schema(blueprint.state_type),
        }
        self.fitting = Fitting(self.schemas)
        self.imports, self.expression = named(blueprint.factory)
        self._games = ClassGames(blueprint)
        self._servers: dict[tuple[ServerMode, int | None], ServerSubject] = {}
        self._processes: dict[str, Elsewhere] = {}

    def offers(self, need: Need) -> bool:
        """See `Subject`."""
        known = {
            Need.SEVERAL: self.blueprint.is_concurrent,
            Need.WIRE: False,
            Need.TOOLS: self.acts_by_tools,
            Need.SNAPSHOTS: self.blueprint.has_snapshots,
            Need.ELSEWHERE: need is Need.ELSEWHERE and self._is_elsewhere(),
        }
        return known.get(need, True)

    def open(self, mode: ServerMode = ServerMode.SIMULATION) -> ClassGame:
        """See `Subject`."""
        return self._games.open(mode)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """See `Subject`."""
        return self._games.run(coroutine)

    def served(
        self, mode: ServerMode = ServerMode.SIMULATION, most: int | None = None
    ) -> "ServerSubject":
        """The class behind an app of ours, reached without a socket."""
        if (mode, most) not in self._servers:
            types = self.blueprint.action_type, self.blueprint.observation_type
            app = create_app(self.blueprint.factory, *types, mode=mode, max_concurrent_envs=most)
            self._servers[mode, most] = ServerSubject(app=app)
        return self._servers[mode, most]

    def prepare(self, needs: Set[Need]) -> None:
        """See `Subject`: processes need half a second to start."""
        can_start = hasattr(os, "fork") and is_found_again(self.blueprint.factory)
        if Need.ELSEWHERE in needs and can_start and not self._processes:
            naming = Naming(self.imports, self.expression)
            self._processes = {each: Elsewhere(naming, each) for each in HASH_SEEDS}

    def _is_elsewhere(self) -> bool:
        self.prepare({Need.ELSEWHERE})
        return bool(self._processes) and all(each.is_ready for each in self._processes.values())

    def elsewhere(self, hash_seed: str) -> Elsewhere:
        """See `Subject`."""
        return self._processes[hash_seed]

    def lanes(self, count: int) -> VectorEnvClient[Any, Any, Any]:
        """See `Subject`."""
        return VectorEnvClient(env=self.blueprint.factory, num_envs=count)

    def close(self) -> None:
        """See `Subject`."""
        for process in self._processes.values():
            process.close()
        for server in self._servers.values():
            server.close()
        self._games.close()


class ServerSubject:
    """A server: an app of this process, or a URL.

    Args:
        app: The ASGI app.
        base_url: Where the server is, if it is elsewhere.

    Attributes:
        app: As above.
        base_url: As above.
        mode: What its OpenAPI document shows it to be served in: simulation if all controls are
            there; a single one was left in production.
        paths: The paths of that document, each with its methods in small letters.

    Raises:
        ConfigurationError: Nobody answers, or it is no environment server.
    """

    def __init__(self, app: ASGIApp | None = None, base_url: str | None = None) -> None:
        self.app = app
        self.base_url = base_url or _ANYWHERE
        self.name = base_url or type(app).__name__
        self.expression = repr(base_url) if base_url else "app"
        self.imports = ""
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        try:
            self.schemas = self._document("/schema")
            self.paths: dict[str, Any] = self._document("/openapi.json").get("paths", {})
        except ConfigurationError:
            self.close()
            raise
        self.fitting = Fitting(self.schemas)
        has_controls = {"/reset", "/step", "/state"} <= self.paths.keys()
        self.mode = ServerMode.SIMULATION if has_controls else ServerMode.PRODUCTION
        self.acts_by_tools = _is_tool_action(self.schemas.get("action", {}))

    def _document(self, path: str) -> dict[str, Any]:
        try:
            return _document_in(self.fetch("GET", path))
        except (OpenEnvError, ValueError, RecursionError) as error:
            raise ConfigurationError(
                f"{self.name} does not answer {path} as an environment server does: {error}"
            ) from None

    def fetch(self, method: str, path: str, **given: Any) -> httpx.Response:
        """One HTTP request; `given` as `httpx` takes it.

        Raises:
            OpenEnvError: As `fetched`.
        """
        return self.run(fetched(self._http, method, path, given))

    @functools.cached_property
    def _http(self) -> httpx.AsyncClient:
        """One for all requests: to make one takes longer than to ask."""
        # An app that fails answers 500 here too, rather than to end the check.
        in_process = httpx.ASGITransport(self.app, raise_app_exceptions=False) if self.app else None
        return httpx.AsyncClient(transport=in_process, base_url=self.base_url)

    @functools.cached_property
    def requester(self) -> Requester:
        """For requests as they are written."""
        return Requester(Target.of(self.base_url, self.app, {}))

    def offers(self, need: Need) -> bool:
        """See `Subject`."""
        if need is Need.LANES:
            return self._has_lanes
        is_simulation = self.mode is ServerMode.SIMULATION
        return {
            Need.OBJECTS: False,
            Need.EPISODES: is_simulation,
            Need.PRODUCTION: not is_simulation,
            Need.TOOLS: self.acts_by_tools,
            Need.ELSEWHERE: False,
            Need.SNAPSHOTS: False,
        }.get(need, True)

    @functools.cached_property
    def _has_lanes(self) -> bool:
        client = self.lanes(1)
        try:
            self.run(client.connect())
        except OpenEnvError:
            return False
        finally:
            self.run(client.close())
        return True

    def prepare(self, needs: Set[Need]) -> None:
        """See `Subject`: whoever started the server has done so."""

    def open(self) -> Game:
        """See `Subject`; in production an agent's session."""
        if self.mode is ServerMode.PRODUCTION:
            return AgentGame(self.requester, self.run)
        if self.app is None:
            return ServerGame(PlainClient(self.base_url), self.run)
        return ServerGame(PlainClient(app=self.app), self.run)

    def dial(self, note: Note) -> Wire:
        """A connection on which anything can be said; `note` is told what was, as Python."""
        return Wire(Target.of(self.base_url, self.app, {}), self.run, self.fetch, note)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """See `Subject`."""
        return self._runner.get_loop().run_until_complete(coroutine)

    def served(
        self, mode: ServerMode = ServerMode.SIMULATION, most: int | None = None
    ) -> "ServerSubject":
        """See `Subject`: itself, as it is."""
        return self

    def elsewhere(self, hash_seed: str) -> Elsewhere:
        """See `Subject`: a server is where it is."""
        raise NotImplementedError

    def lanes(self, count: int) -> VectorEnvClient[Any, Any, Any]:
        """See `Subject`."""
        if self.app is None:
            return VectorEnvClient(self.base_url, num_envs=count)
        return VectorEnvClient(app=self.app, num_envs=count)

    def close(self) -> None:
        """See `Subject`."""
        self.run(self._http.aclose())
        self._runner.close()


def _document_in(response: httpx.Response) -> dict[str, Any]:
    """A JSON object whose values are objects too, where they are read.

    Raises:
        ValueError: It is none.
    """
    document = response.json()
    if not isinstance(document, dict):
        raise ValueError("it is no JSON object")
    for name in _READ & document.keys():
        if not isinstance(document[name], dict):
            raise ValueError(f"{name} is no object")
    return document


def _is_tool_action(schema: dict[str, Any]) -> bool:
    return "tool_name" in schema.get("properties", {})
