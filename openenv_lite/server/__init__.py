"""Serving environments over HTTP, WebSocket and MCP, as a pure ASGI app."""

from openenv_lite.server.app import HTTPEnvServer, create_app
from openenv_lite.server.settings import ServerSettings

__all__ = ["HTTPEnvServer", "ServerSettings", "create_app"]
