"""The environment as an ASGI app, for `uvicorn echo_env.server.app:app`."""

from openenv_lite import create_app

from .echo_environment import EchoEnvironment

__all__ = ["app"]

app = create_app(EchoEnvironment, env_name="echo_env")
