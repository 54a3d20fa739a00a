"""The smallest environment of tools: it says back what it is told."""

from .server.echo_environment import EchoEnvironment

__all__ = ["EchoEnvironment"]
