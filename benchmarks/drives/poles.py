"""CartPole-v1 in many environments at once: a script of seeds and actions, over and over.

The poles fall chaotically, so where all of them stand at the script's end tells whether every step
was right; the rewards are checked at every round. It also runs where ours is not installed.
"""

import random
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import gymnasium
import numpy as np

__all__ = ["GymnasiumPlayer", "Play", "Player", "Script", "script"]

ROUNDS = 200


class Player(Protocol):
    """Environments in step; a step after the end of an episode begins the next one."""

    def prepared(self, actions: list[int]) -> Any:
        """The actions of a round in the form that `step` takes."""
        ...

    def reset(self, seeds: list[int]) -> object:
        """Begin anew."""
        ...

    def step(self, actions: Any) -> tuple[Any, float]:
        """What is observed, and the sum of all rewards."""
        ...

    def rows(self, observations: Any) -> list[list[float]]:
        """Where the poles are, one row an environment."""
        ...


class Script(NamedTuple):
    """Actions by round; the sum of rewards in each; and where the poles are at the end."""

    actions: list[list[int]]
    rewards: list[float]
    ends: list[list[float]]


def script(lanes: int) -> Script:
    """What comes of Gymnasium's environments when each is stepped by itself."""
    rng = random.Random(lanes)
    actions = [[rng.randrange(2) for _ in range(lanes)] for _ in range(ROUNDS)]
    alone = [_alone(seed, row) for seed, row in enumerate(zip(*actions, strict=True))]
    rewards = [sum(each) for each in zip(*(earned for earned, _ in alone), strict=True)]
    return Script(actions, rewards, [end for _, end in alone])


def _alone(seed: int, actions: Sequence[int]) -> tuple[list[float], list[float]]:
    environment = gymnasium.make("CartPole-v1")
    observation, _ = environment.reset(seed=seed)
    earned, done = [], False
    for action in actions:
        if done:
            observation, _ = environment.reset()
            reward, done = 0.0, False
        else:
            observation, gained, terminated, truncated, _ = environment.step(action)
            reward, done = float(gained), terminated or truncated
        earned.append(reward)
    environment.close()
    return earned, observation.tolist()


class GymnasiumPlayer:
    """A `gymnasium.vector.VectorEnv`."""

    def __init__(self, vector: Any) -> None:
        self._vector = vector

    def prepared(self, actions: list[int]) -> Any:
        return np.asarray(actions)

    def reset(self, seeds: list[int]) -> object:
        return self._vector.reset(seed=seeds)

    def step(self, actions: Any) -> tuple[Any, float]:
        observations, rewards, *_ = self._vector.step(actions)
        return observations, float(rewards.sum())

    def rows(self, observations: Any) -> list[list[float]]:
        rows: list[list[float]] = observations.tolist()
        return rows


class Play:
    """A round at each call, and the script again from its start after its end."""

    def __init__(self, player: Player, script: Script) -> None:
        self._player, self._script = player, script
        self._seeds = [*range(len(script.ends))]
        self._actions = [player.prepared(each) for each in script.actions]
        self._round = 0

    def __call__(self, _: None) -> None:
        if self._round == 0:
            self._player.reset(self._seeds)
        observations, rewards = self._player.step(self._actions[self._round])
        if rewards != self._script.rewards[self._round]:
            raise ValueError(f"The rewards of round {self._round} were {rewards} in all")
        self._round += 1
        if self._round == ROUNDS:
            self._round = 0
            if self._player.rows(observations) != self._script.ends:
                raise ValueError("The poles ended elsewhere than they should")
