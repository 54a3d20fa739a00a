"""Clients of an environment server: async and sync twins; importing them loads no server."""

import importlib
from typing import TYPE_CHECKING, Any

from openenv_lite.types import StepResult

try:
    from openenv_lite.client.async_client import EnvClient, GenericAction, GenericEnvClient
    from openenv_lite.client.sync_client import SyncEnvClient
    from openenv_lite.client.sync_vector_client import SyncVectorEnvClient
    from openenv_lite.client.target import ConnectionOptions, ConnectionSettings
    from openenv_lite.client.vector_client import VectorEnvClient
    from openenv_lite.client.vector_plan import VectorOptions
    from openenv_lite.client.vector_result import VectorResult
except ModuleNotFoundError as error:
    if error.name not in {"picows", "websockets"}:
        raise
    raise ModuleNotFoundError(
        f"The client needs {error.name}: install openenv-lite[client]", name=error.name
    ) from error

if TYPE_CHECKING:
    from openenv_lite.client.mcp_client import MCPToolClient, SyncMCPToolClient

__all__ = [
    "ConnectionOptions",
    "ConnectionSettings",
    "EnvClient",
    "GenericAction",
    "GenericEnvClient",
    "MCPToolClient",
    "StepResult",
    "SyncEnvClient",
    "SyncMCPToolClient",
    "SyncVectorEnvClient",
    "VectorEnvClient",
    "VectorOptions",
    "VectorResult",
]

_NEED_HTTPX = {"MCPToolClient", "SyncMCPToolClient"}


def __getattr__(name: str) -> Any:
    """Load the MCP clients when asked for: only they need httpx."""
    if name in _NEED_HTTPX:
        return getattr(importlib.import_module("openenv_lite.client.mcp_client"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
