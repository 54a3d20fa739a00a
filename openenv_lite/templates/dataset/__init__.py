"""Questions with known answers as an environment for agents."""

from .server.my_environment import MyEnvironment

__all__ = ["MyEnvironment"]
