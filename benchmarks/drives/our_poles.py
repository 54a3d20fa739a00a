"""CartPole on our vectors. Arguments: where it is played, and the number of lanes.

`process` is this process, `socket` the server; `gymnasium` is the server too, behind Gymnasium's
own interface.
"""

import contextlib
import sys
from typing import Any

from benchmarks.apps.cartpole import CartPole
from benchmarks.drives.exchange import Sample, Target, count, obey
from benchmarks.drives.poles import GymnasiumPlayer, Play, script
from openenv_lite import State
from openenv_lite.client import VectorEnvClient
from openenv_lite.gym import GymVectorEnv

__all__: list[str] = []

ACTION, OBSERVATION = CartPole.__orig_bases__[0].__args__  # type: ignore[attr-defined]
CLIENT: Any = VectorEnvClient[ACTION, OBSERVATION, State]  # type: ignore[valid-type]
MOVES = [ACTION(action=0), ACTION(action=1)]


class OurPlayer:
    """The sync twin of a `VectorEnvClient`."""

    def __init__(self, vector: Any) -> None:
        self._vector = vector

    def prepared(self, actions: list[int]) -> Any:
        return [MOVES[each] for each in actions]

    def reset(self, seeds: list[int]) -> object:
        return self._vector.reset(seeds=seeds)

    def step(self, actions: Any) -> tuple[Any, float]:
        result = self._vector.step(actions)
        return result.observations, sum(result.rewards)

    def rows(self, observations: Any) -> list[list[float]]:
        return [[*each.observation] for each in observations]


def run_as_gymnasium(target: Target, lanes: int) -> Sample:
    with contextlib.closing(GymVectorEnv(url_of(target), num_envs=lanes)) as vector:
        return count(Play(GymnasiumPlayer(vector), script(lanes)), [None], target, lanes)


def url_of(target: Target) -> str:
    return f"http://{target.address}"


def run(target: Target, manner: str, lanes: int) -> Sample:
    if manner == "gymnasium":
        return run_as_gymnasium(target, lanes)
    where: dict[str, Any] = (
        {"env": CartPole} if manner == "process" else {"base_url": url_of(target)}
    )
    with CLIENT(**where, num_envs=lanes, autoreset="next_step").sync() as vector:
        return count(Play(OurPlayer(vector), script(lanes)), [None], target, lanes)


if __name__ == "__main__":
    obey(lambda target: run(target, sys.argv[1], int(sys.argv[2])))
