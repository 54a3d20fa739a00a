"""Policies a user may have written."""

import random
from typing import Any

__all__ = ["broken", "cautious", "thoughtful"]


def cautious(observation: Any, rng: random.Random) -> dict[str, Any]:
    return {"action": 1 if observation["observation"][0] < 12 else 0}


async def thoughtful(observation: Any, rng: random.Random) -> dict[str, Any]:
    return cautious(observation, rng)


def broken(observation: Any, rng: random.Random) -> dict[str, Any]:
    raise LookupError("no weights")
