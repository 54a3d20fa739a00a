"""Environments for agentic RL, served as a pure ASGI app, wire-compatible with OpenEnv."""

import importlib
from typing import TYPE_CHECKING, Any

from openenv_lite.content import (
    Audio,
    EmbeddedResource,
    Image,
    Message,
    ResourceLink,
    ToolResult,
)
from openenv_lite.context import Context, Elicit, ElicitURL, Question, Roots, Sample
from openenv_lite.environment import Environment, MCPEnvironment
from openenv_lite.errors import OpenEnvError
from openenv_lite.types import (
    Action,
    CallToolAction,
    CallToolObservation,
    EnvironmentMetadata,
    ListToolsAction,
    ListToolsObservation,
    Observation,
    ServerMode,
    State,
    StepResult,
)

if TYPE_CHECKING:
    from openenv_lite.backed.database import SQLiteBacked
    from openenv_lite.backed.directory import DirectoryBacked
    from openenv_lite.backed.world import StructBacked
    from openenv_lite.client import EnvClient, GenericEnvClient, MCPToolClient, VectorEnvClient
    from openenv_lite.server import HTTPEnvServer, create_app

__all__ = [
    "Action",
    "Audio",
    "CallToolAction",
    "CallToolObservation",
    "Context",
    "DirectoryBacked",
    "Elicit",
    "ElicitURL",
    "EmbeddedResource",
    "EnvClient",
    "Environment",
    "EnvironmentMetadata",
    "GenericEnvClient",
    "HTTPEnvServer",
    "Image",
    "ListToolsAction",
    "ListToolsObservation",
    "MCPEnvironment",
    "MCPToolClient",
    "Message",
    "Observation",
    "OpenEnvError",
    "Question",
    "ResourceLink",
    "Roots",
    "SQLiteBacked",
    "Sample",
    "ServerMode",
    "State",
    "StepResult",
    "StructBacked",
    "ToolResult",
    "VectorEnvClient",
    "create_app",
]

__version__ = "0.1.0"

# Authors import this package to declare a class; only those who serve or call pay for more.
_LAZY = {
    "DirectoryBacked": "openenv_lite.backed.directory",
    "EnvClient": "openenv_lite.client",
    "GenericEnvClient": "openenv_lite.client",
    "HTTPEnvServer": "openenv_lite.server",
    "MCPToolClient": "openenv_lite.client",
    "SQLiteBacked": "openenv_lite.backed.database",
    "StructBacked": "openenv_lite.backed.world",
    "VectorEnvClient": "openenv_lite.client",
    "create_app": "openenv_lite.server",
}


def __getattr__(name: str) -> Any:
    """Import a state's backing, the server or the client when first asked for."""
    if name not in _LAZY:
        raise AttributeError(f"module 'openenv_lite' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
