"""An environment class as an ASGI app, or as routes on an app that exists."""

import asyncio
import contextlib
import logging
import os
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route, Router
from starlette.types import Receive, Scope, Send

from openenv_lite.blueprint import Blueprint
from openenv_lite.clock import Clock
from openenv_lite.conversation.service import Service
from openenv_lite.conversation.site import Site, SiteSettings
from openenv_lite.errors import ConfigurationError
from openenv_lite.pool import NewSession, Pool, PoolSettings, PoolStatistics
from openenv_lite.recording.session import recorded_in
from openenv_lite.server.failures import http_exception
from openenv_lite.server.guard import Guard
from openenv_lite.server.mcp import McpEndpoint, Response
from openenv_lite.server.page import page_routes, to_page
from openenv_lite.server.routes import MCP_PATH, McpRoute, routes_of
from openenv_lite.server.settings import ServerSettings
from openenv_lite.server.variables import settings_told
from openenv_lite.session import Session
from openenv_lite.snapshots import SnapshotSettings
from openenv_lite.types import ServerMode
from openenv_lite.web import Page, PageSettings, page_of

__all__ = ["HTTPEnvServer", "StraightToMcp", "create_app"]

log = logging.getLogger(__name__)

_POOL_FIELDS = (
    "idle_timeout_s",
    "resume_grace_s",
    "queue_timeout_s",
    "close_timeout_s",
    *SnapshotSettings.__struct_fields__,
)


class HTTPEnvServer:
    """One environment class, ready to be put on any ASGI app.

    Args:
        env: The class, or a factory without arguments; never an instance.
        action_cls: Overrides the action type named in the class's generics.
        observation_cls: Overrides the observation type.
        state_cls: Overrides the state type.
        clock: Where time comes from.
        settings: Fields of `ServerSettings`.

    Attributes:
        page: What is shown at `/web`, once the routes of simulation were made.

    Raises:
        ConfigurationError: A setting is unknown or cannot be met.
    """

    def __init__(
        self,
        env: Callable[[], Any],
        action_cls: Any = None,
        observation_cls: Any = None,
        *,
        state_cls: Any = None,
        clock: Clock | None = None,
        **settings: Any,
    ) -> None:
        self.settings = _settings(settings)
        self.blueprint = Blueprint(
            env, action_cls, observation_cls, state_cls, self.settings.blocking
        )
        self.pool = Pool(self.blueprint, self._pool_settings(), clock, self._new_session())
        self._guard = Guard(self.settings)
        self._key = (self.settings.mcp_key or secrets.token_urlsafe(32)).encode()
        self._services: list[Service] = []
        self.page: Page | None = None
        self._registered: list[tuple[Any, list[BaseRoute]]] = []

    def _pool_settings(self) -> PoolSettings:
        most = self.settings.max_concurrent_envs or self.blueprint.capacity
        if most > 1 and not self.blueprint.is_concurrent:
            raise ConfigurationError(
                f"max_concurrent_envs={most}, but {self.blueprint.name} does not say that "
                "several may live side by side. Set SUPPORTS_CONCURRENT_SESSIONS = True on it "
                "once its instances share nothing."
            )
        shared = {name: getattr(self.settings, name) for name in _POOL_FIELDS}
        return PoolSettings(max_sessions=most, **shared)

    def _new_session(self) -> NewSession:
        folder = self.settings.record_dir
        name = self.settings.env_name or self.blueprint.name
        return Session if folder is None else recorded_in(folder, name)

    def routes(self, mode: ServerMode | str = ServerMode.SIMULATION) -> list[BaseRoute]:
        """The routes of this environment in a mode, to be mounted wherever you like."""
        service = self.service(mode)
        routes = routes_of(service, self._guard, self.settings)
        if service.site.mode is ServerMode.SIMULATION:
            self.page = self.page or self._built_page()
            if self.page is not None:
                routes += page_routes(self.page, self._guard, self.settings.max_message_bytes)
        return routes

    @property
    def page_is_optional(self) -> bool:
        """Whether it is only missed, and no fault, if there is no page."""
        return self.settings.web_interface == "if possible"

    def _built_page(self) -> Page | None:
        wanted = self.settings.web_interface
        if not (self.settings.gradio_builder if wanted is None else wanted):
            return None
        shown = {name: getattr(self.settings, name) for name in PageSettings.__struct_fields__}
        try:
            return page_of(self.pool, PageSettings(**shown))
        except ConfigurationError as error:
            if not self.page_is_optional:
                raise
            log.warning("Served without the page at /web. %s", error)
            return None

    def service(self, mode: ServerMode | str) -> Service:
        """What answers MCP clients in a mode, whatever carries their messages."""
        service = Service(Site(self.pool, _mode(mode), self._site_settings()))
        self._services.append(service)
        return service

    def _site_settings(self) -> SiteSettings:
        described = self.blueprint.described
        return SiteSettings(
            name=self.settings.env_name or self.blueprint.name,
            version=(described.version if described is not None else None) or "1.0.0",
            key=self._key,
            page_size=self.settings.mcp_page_size,
            max_conversations=self.settings.max_mcp_sessions,
            idle_timeout_s=self.settings.idle_timeout_s,
        )

    def register_routes(self, app: Any, mode: ServerMode | str = ServerMode.SIMULATION) -> None:
        """Put the routes on a Starlette or FastAPI app, before those it has.

        The app's lifespan then also closes the environments. Registered again, in another mode,
        the new routes take the place of the old, so that no control outlives the change.
        """
        router = app.router
        earlier = [routes for known, routes in self._registered if known is router]
        ours = [route for routes in earlier for route in routes]
        fresh = self.routes(mode)
        router.routes[:] = [*fresh, *(each for each in router.routes if each not in ours)]
        self._registered.append((router, fresh))
        if not earlier:
            self._close_with(router)

    def _close_with(self, router: Any) -> None:
        inner = router.lifespan_context

        @contextlib.asynccontextmanager
        async def lifespan(application: Any) -> AsyncIterator[Any]:
            async with inner(application) as state:
                self.pool.start()
                try:
                    yield state
                finally:
                    await self.aclose()

        router.lifespan_context = lifespan

    def statistics(self) -> PoolStatistics:
        """What is being served, and has been."""
        return self.pool.statistics()

    async def aclose(self) -> None:
        """Close every environment; for apps whose lifespan nobody runs."""
        closing = [asyncio.create_task(service.close()) for service in self._services]
        await self.pool.aclose()
        if closing:  # what the pool gave up on they wait for in vain
            await asyncio.wait(closing, timeout=self.settings.close_timeout_s)
        for each in closing:
            each.cancel()
        if self.page is not None:
            await self.page.aclose()

    def let_go(self) -> None:
        """A stop is near: end the event streams that a graceful one would wait for."""
        for service in self._services:
            service.let_go()
        if self.page is not None:
            self.page.let_go()


class StraightToMcp:
    """An app that sends what is for `/mcp` to its endpoint, unless somebody put something before.

    The way through Starlette would take longer than all that the endpoint does.
    """

    router: Router
    user_middleware: list[Any]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or the app's life."""
        endpoint = self._endpoint_of(scope)
        if endpoint is None:
            await super().__call__(scope, receive, send)  # type: ignore[misc]  # of the app mixed in
        else:
            await endpoint(scope, receive, send)

    def at_once(self, scope: Scope, body: bytes) -> Response | None:
        """The response to a request that came whole, where it is known without a call."""
        endpoint = self._endpoint_of(scope)
        return None if endpoint is None else endpoint.at_once(scope, body)

    def _endpoint_of(self, scope: Scope) -> McpEndpoint | None:
        if scope["type"] != "http" or scope["path"] != MCP_PATH or self.user_middleware:
            return None
        first = self.router.routes[0]
        return first.endpoint if isinstance(first, McpRoute) else None


class _App(StraightToMcp, Starlette):
    """Ours."""


def create_app(
    env: Callable[[], Any],
    action_cls: Any = None,
    observation_cls: Any = None,
    *,
    mode: ServerMode | str | None = None,
    **settings: Any,
) -> Starlette:
    """An ASGI app that serves one environment class.

    Args:
        env: The class, or a factory without arguments.
        action_cls: Overrides the action type named in the class's generics.
        observation_cls: Overrides the observation type.
        mode: By default what `OPENENV_MODE` says, else simulation.
        settings: Arguments of `HTTPEnvServer` and fields of `ServerSettings`. Where one is not
            given, `MAX_CONCURRENT_ENVS`, `OPENENV_BLOCKING`, `SESSION_IDLE_TIMEOUT_S`,
            `OPENENV_CONTROL_TOKEN`, `OPENENV_MCP_TOKEN`, `OPENENV_MCP_KEY`, `OPENENV_RECORD_DIR`,
            `OPENENV_MAX_SNAPSHOTS`, `OPENENV_MAX_SNAPSHOT_BYTES`, `OPENENV_MAX_EXPORT_BYTES`,
            `OPENENV_SNAPSHOT_LIFE_S`, `OPENENV_SNAPSHOT_KEY`, `OPENENV_ALLOWED_HOSTS`,
            `OPENENV_ALLOWED_ORIGINS` (a blank between two) and `ENABLE_WEB_INTERFACE` of the
            process's environment count.
    """
    given = {**settings_told(), **{k: v for k, v in settings.items() if v is not None}}
    server = HTTPEnvServer(env, action_cls, observation_cls, **given)
    app = _App(exception_handlers={HTTPException: http_exception})
    app.router.redirect_slashes = False
    server.register_routes(app, mode or os.environ.get("OPENENV_MODE") or ServerMode.SIMULATION)
    if server.page is not None:
        app.router.routes.append(Route("/", to_page, include_in_schema=False))
    app.state.server = server
    return app


def _settings(given: dict[str, Any]) -> ServerSettings:
    try:
        return msgspec.convert(given, ServerSettings)
    except msgspec.ValidationError as error:
        known = ", ".join(ServerSettings.__struct_fields__)
        raise ConfigurationError(f"{error}. Settings: {known}") from None


def _mode(mode: ServerMode | str) -> ServerMode:
    try:
        return ServerMode(str(mode).lower())
    except ValueError:
        known = ", ".join(repr(each.value) for each in ServerMode)
        raise ConfigurationError(f"Invalid mode: {mode!r}. Must be one of: {known}") from None
