"""CartPole, to be served, or played in process."""

from gym_env import environment

__all__ = ["CartPole"]

CartPole = environment("CartPole-v1")
