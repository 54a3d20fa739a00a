"""The echo tool on our server, as an agent meets it: in production."""

from openenv_lite import MCPEnvironment, create_app

__all__ = ["Echo", "app"]


class Echo(MCPEnvironment):
    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def __init__(self) -> None:
        @self.tool
        def echo(message: str) -> str:
            return message


app = create_app(Echo, max_concurrent_envs=64, mode="production")
