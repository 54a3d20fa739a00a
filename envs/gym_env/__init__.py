"""Any Gymnasium environment, its spaces as typed actions and observations."""

from .server.gym_environment import GymEnvironment, environment

__all__ = ["GymEnvironment", "environment"]
