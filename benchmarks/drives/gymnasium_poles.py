"""CartPole on Gymnasium's own vectors. Arguments: `sync` or `async`, and the number of lanes."""

import functools
import sys

import gymnasium
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv

from benchmarks.drives.exchange import Sample, Target, count, obey
from benchmarks.drives.poles import GymnasiumPlayer, Play, script

__all__: list[str] = []

VECTORS = {"sync": SyncVectorEnv, "async": AsyncVectorEnv}


def run(target: Target, manner: str, lanes: int) -> Sample:
    vector = VECTORS[manner]([functools.partial(gymnasium.make, "CartPole-v1")] * lanes)
    try:
        return count(Play(GymnasiumPlayer(vector), script(lanes)), [None], target, lanes)
    finally:
        vector.close()


if __name__ == "__main__":
    obey(lambda target: run(target, sys.argv[1], int(sys.argv[2])))
