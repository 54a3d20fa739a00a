"""The routes of a server, as a list that follows from the mode.

In production the control routes are not refused: they are not in the list.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from openenv_lite import codec
from openenv_lite.pool import Pool
from openenv_lite.server.documents import docs_page, openapi
from openenv_lite.server.failures import json_response
from openenv_lite.server.http import ControlRoutes, Endpoint, answering
from openenv_lite.server.mcp import LegacyMcp, McpSocketEndpoint
from openenv_lite.server.settings import ServerSettings
from openenv_lite.server.ws import WebSocketEndpoint
from openenv_lite.types import ServerMode

__all__ = ["routes_of"]


def routes_of(pool: Pool, settings: ServerSettings, mode: ServerMode) -> list[BaseRoute]:
    """Every route of an environment in this mode."""
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
        route("/reset", control.reset, "POST"),
        route("/step", control.step, "POST"),
        route("/state", control.state),
    ]
    everyone: list[BaseRoute] = [
        WebSocketRoute("/ws", WebSocketEndpoint(pool, mode, settings)),
        route("/mcp", LegacyMcp(pool, mode).post, "POST"),
        WebSocketRoute("/mcp", McpSocketEndpoint(pool, mode, settings)),
        route("/health", information.health),
        route("/metadata", information.metadata),
        route("/schema", information.schema),
        route("/list_environments", information.environments),
        route("/openapi.json", information.openapi, shown=False),
        route("/docs", information.docs, shown=False),
    ]
    information.routes = [*trainer, *everyone] if mode is ServerMode.SIMULATION else everyone
    return information.routes


class _Information:
    """What anybody may know of an environment."""

    def __init__(self, pool: Pool, settings: ServerSettings, mode: ServerMode) -> None:
        blueprint = pool.blueprint
        self.routes: list[BaseRoute] = []
        self._pool = pool
        self._mode = mode
        self._name = settings.env_name or blueprint.name
        self._metadata: Any = None
        observation = codec.json_schema(blueprint.observation_type)
        self._schema = codec.encode(
            {
                "action": codec.json_schema(blueprint.action_type),
                "observation": observation,
                "state": codec.json_schema(blueprint.state_type),
                "reset_observation": observation,
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
        return json_response([self._name])

    async def openapi(self, request: Request) -> Response:
        """This list of routes, for programs."""
        return json_response(openapi(self.routes))

    async def docs(self, request: Request) -> Response:
        """This list of routes, for people."""
        return HTMLResponse(docs_page(self._name, openapi(self.routes)))
