"""CartPole on EnvPool, in C++: a reference, whose random numbers are not Gymnasium's.

So no script of seeds holds; each round is checked against the law that moves the carts. Argument:
the number of lanes.
"""

import sys
from typing import Any

import envpool  # type: ignore[import-not-found]
import gymnasium
import numpy as np

from benchmarks.drives.exchange import Sample, Target, count, obey

__all__: list[str] = []

TICK_SECONDS, ROUNDING = 0.02, 1e-5


def run(target: Target, lanes: int) -> Sample:
    vector: Any = envpool.make("CartPole-v1", env_type="gymnasium", num_envs=lanes, seed=0)
    actions = [np.random.default_rng(seed).integers(0, 2, lanes) for seed in range(16)]
    carts, _ = vector.reset()

    def step(action: Any) -> None:
        nonlocal carts
        before, (carts, rewards, *_) = carts, vector.step(action)
        error = carts[:, 0] - before[:, 0] - TICK_SECONDS * before[:, 1]
        if np.abs(error * rewards).max() > ROUNDING:
            raise ValueError(f"A cart is {error} away from where it should be")

    return count(step, actions, target, lanes)


if __name__ == "__main__":
    gymnasium.logger.min_level = gymnasium.logger.ERROR  # it minds EnvPool's spaces
    obey(lambda target: run(target, int(sys.argv[1])))
