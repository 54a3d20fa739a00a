"""The environment as an ASGI app; OPENENV_MODE says whether it is for training or for agents."""

from openenv_lite import create_app

from .my_environment import MyEnvironment

__all__ = ["app"]

app = create_app(MyEnvironment, env_name="my_env")
