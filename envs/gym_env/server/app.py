"""Blackjack as an ASGI app, for `uvicorn gym_env.server.app:app`."""

from openenv_lite import create_app

from .gym_environment import environment

__all__ = ["app"]

app = create_app(environment("Blackjack-v1"), env_name="gym_env")
