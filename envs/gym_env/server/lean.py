"""A Gymnasium environment without what is done here anyway."""

from typing import Any

import gymnasium as gym
from gymnasium import spaces
from gymnasium.wrappers import OrderEnforcing, TimeLimit

__all__ = ["lean"]

_INT64 = range(-(2**63), 2**63)


def lean(env: gym.Env[Any, Any]) -> tuple[gym.Env[Any, Any], int | None]:
    """What `gymnasium.make` built, less its outermost wrappers, and the steps an episode may have.

    The session refuses a step before the reset, as `OrderEnforcing` does, and the limit is for the
    caller to keep. Any other wrapper stays, with all that is inside of it.
    """
    limit = None
    if type(env) is TimeLimit:
        limit = env.spec.max_episode_steps if env.spec is not None else None
        env = env.env
    if type(env) is OrderEnforcing:
        env = env.env
    _quicken(vars(env.unwrapped).get("action_space"))
    return env, limit


def _quicken(space: Any) -> None:
    """Let a Discrete space tell quickly what it contains.

    Many environments ask it in each step; with NumPy's integers that is a third of a step of
    CartPole. The answer is the same for whatever is asked.
    """
    if type(space) is not spaces.Discrete:
        return
    first = int(space.start)
    whole = range(max(first, _INT64.start), min(first + int(space.n), _INT64.stop))
    contains = space.contains

    def quick_contains(x: Any) -> bool:
        return x in whole if type(x) is int else contains(x)

    space.contains = quick_contains  # type: ignore[method-assign]
