"""The routes of a server, as a list that follows from the mode.

In production the control routes are not refused: they are not in the list.
"""

import functools
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from openenv_lite import codec
from openenv_lite.conversation.service import Service
from openenv_lite.pool import Pool
from openenv_lite.server.authorization import METADATA_PATH
from openenv_lite.server.documents import docs_page, openapi
from openenv_lite.server.failures import json_response
from openenv_lite.server.guard import Guard
from openenv_lite.server.http import ControlRoutes, Endpoint, answering
from openenv_lite.server.mcp import McpEndpoint
from openenv_lite.server.mcp_socket import McpSocketEndpoint
from openenv_lite.server.requests import headers_of
from openenv_lite.server.settings import ServerSettings
from openenv_lite.server.tasks import TaskRoute, TaskRoutes
from openenv_lite.server.ws import WebSocketEndpoint
from openenv_lite.types import ServerMode

__all__ = ["MCP_PATH", "McpRoute", "routes_of"]

MCP_PATH = "/mcp"


class McpRoute(Route):
    """Where an `McpEndpoint` is."""

    endpoint: McpEndpoint


def routes_of(service: Service, guard: Guard, settings: ServerSettings) -> list[BaseRoute]:
    """Every route of an environment in the service's mode; `/mcp`, the busiest, comes first."""
    pool, mode = service.site.pool, service.site.mode
    information = _Information(pool, settings, mode)
    control = ControlRoutes(pool, mode)
    limit = settings.max_message_bytes

    def route(path: str, endpoint: Endpoint, method: str = "GET", shown: bool = True) -> Route:
        return Route(
            path,
            answering(mode)(endpoint),
            methods=[method],
            include_in_schema=shown,
            max_body_size=limit,
        )

    trainer: list[BaseRoute] = [
        route("/reset", _guarded(guard, control.reset), "POST"),
        route("/step", _guarded(guard, control.step), "POST"),
        route("/state", _guarded(guard, control.state)),
        *(
            TaskRoute(information.name, last, answering(mode)(_guarded(guard, endpoint)), limit)
            for last, endpoint in TaskRoutes(pool, mode, information.name).endpoints().items()
        ),
    ]
    everyone: list[BaseRoute] = [
        WebSocketRoute("/ws", WebSocketEndpoint(pool, mode, guard, settings)),
        route("/health", information.health),
        route("/metadata", information.metadata),
        route("/schema", information.schema),
        route("/list_environments", information.environments),
        route("/openapi.json", information.openapi, shown=False),
        route("/docs", information.docs, shown=False),
    ]
    mcp: list[BaseRoute] = [
        McpRoute(MCP_PATH, McpEndpoint(service, guard, limit), include_in_schema=False),
        WebSocketRoute(MCP_PATH, McpSocketEndpoint(service, guard, settings)),
    ]
    controls = trainer if mode is ServerMode.SIMULATION else []
    information.routes = [*mcp, *controls, *everyone, *_authorization(guard)]
    return information.routes


def _guarded(guard: Guard, endpoint: Endpoint) -> Endpoint:
    """A control that no web page reaches; who may use it is for the network to say."""

    @functools.wraps(endpoint)
    async def let_in(request: Request) -> Response:
        refusal = guard.check(headers_of(request.scope), request.scope)
        if refusal is None:
            return await endpoint(request)
        return Response(refusal.body, refusal.status, media_type="application/json")

    return let_in


def _authorization(guard: Guard) -> list[BaseRoute]:
    """Where clients learn how to be let in, if anybody has to."""
    if not guard.wants_token:
        return []

    async def metadata(request: Request) -> Response:
        body = guard.protected_resource_metadata(request.scope)
        return Response(body, media_type="application/json")

    paths = ("/.well-known/oauth-protected-resource", METADATA_PATH)
    return [Route(path, metadata, include_in_schema=False) for path in paths]


class _Information:
    """What anybody may know of an environment."""

    def __init__(self, pool: Pool, settings: ServerSettings, mode: ServerMode) -> None:
        blueprint = pool.blueprint
        self.routes: list[BaseRoute] = []
        self._pool = pool
        self._mode = mode
        self.name = settings.env_name or blueprint.name
        self._metadata: Any = None
        self._schema = codec.encode(
            {
                "action": codec.json_schema(blueprint.action_type),
                "observation": codec.json_schema(blueprint.observation_type),
                "state": codec.json_schema(blueprint.state_type),
                "reset_observation": codec.json_schema(blueprint.reset_type),
            }
        )

    async def health(self, request: Request) -> Response:
        """Say that the server runs."""
        return json_response({"status": "healthy"})

    async def metadata(self, request: Request) -> Response:
        """Name, description and author of the environment."""
        if self._metadata is None:
            self._metadata = await self._pool.metadata(self._mode)
        return json_response(self._metadata)

    async def schema(self, request: Request) -> Response:
        """JSON Schemas of action, observation and state."""
        return Response(self._schema, media_type="application/json")

    async def environments(self, request: Request) -> Response:
        """Names of the environments served here."""
        return json_response([self.name])

    async def openapi(self, request: Request) -> Response:
        """This list of routes, for programs."""
        return json_response(openapi(self.routes))

    async def docs(self, request: Request) -> Response:
        """This list of routes, for people."""
        return HTMLResponse(docs_page(self.name, openapi(self.routes)))
