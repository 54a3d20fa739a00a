"""What OpenEnv's users have, to be served by either server: plain steps, and tools on FastMCP."""

from typing import Any

from fastmcp import FastMCP
from openenv.core.env_server import Action, Observation, State, create_app
from openenv.core.env_server.mcp_environment import MCPEnvironment
from openenv.core.env_server.mcp_types import CallToolAction, CallToolObservation

from benchmarks.original.app import CAPACITY, Sync, served

__all__ = ["plain_app", "tools_app"]


class Tools(MCPEnvironment):
    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        server = FastMCP("echo")

        @server.tool
        def echo(message: str) -> str:
            """Say it again."""
            return message

        super().__init__(server)

    def reset(self, **options: Any) -> Observation:
        return Observation()

    def _step_impl(self, action: Action, **options: Any) -> Observation:
        raise NotImplementedError("tools only")

    @property
    def state(self) -> State:
        return State()


plain_app = served(Sync)
tools_app = create_app(
    Tools, CallToolAction, CallToolObservation, env_name="tools", max_concurrent_envs=CAPACITY
)
