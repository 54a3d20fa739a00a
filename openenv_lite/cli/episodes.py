"""Playing episodes: one at a time on each of several sessions."""

import asyncio
import inspect
import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from openenv_lite.cli.policies import Policy
from openenv_lite.client import GenericEnvClient
from openenv_lite.errors import CapacityError, ConfigurationError

__all__ = ["Episode", "Rollout", "play", "roll_out"]


class Episode(msgspec.Struct):
    """The record of one episode."""

    seed: int
    actions: list[Any] = []
    observations: list[Any] = []
    """One more than actions: the first is the reset's."""
    rewards: list[Any] = []
    done: bool = False
    truncated: bool = False
    """Cut off by the environment, or, where `done` is false, by the rollout's step limit."""
    error: str | None = None
    """What ended the episode before its time."""

    @property
    def total(self) -> float:
        """The return: the sum of all rewards."""
        return float(sum(reward or 0 for reward in self.rewards))


class Rollout(NamedTuple):
    """What to play.

    Args:
        connect: Makes a client with a session of its own.
        policy: Chooses the actions.
        seeds: One an episode, for the environment and for the policy's generator.
        concurrency: Sessions at once.
        max_steps: Steps after which an episode is cut off.
    """

    connect: Callable[[], GenericEnvClient]
    policy: Policy
    seeds: range
    concurrency: int
    max_steps: int


async def roll_out(rollout: Rollout, finished: Callable[[Episode], None]) -> None:
    """Play every seed once; `finished` gets each episode as it ends, failed ones too.

    Raises:
        ConfigurationError: The server has no room for so many sessions.
    """
    seeds = iter(rollout.seeds)
    sessions = min(rollout.concurrency, len(rollout.seeds))
    try:
        await asyncio.gather(*(_play_from(seeds, rollout, finished) for _ in range(sessions)))
    except CapacityError as error:
        raise ConfigurationError(f"{error.message}: lower --concurrency") from error


async def _play_from(
    seeds: Iterator[int], rollout: Rollout, finished: Callable[[Episode], None]
) -> None:
    client = rollout.connect()
    try:
        for seed in seeds:
            finished(await play(client, rollout.policy, seed, rollout.max_steps))
    finally:
        await client.close()


async def play(client: GenericEnvClient, policy: Policy, seed: int, max_steps: int) -> Episode:
    """One episode. A failure, the environment's or the policy's, is part of the record.

    Raises:
        CapacityError: The server gave no session, so that nothing was played.
    """
    episode = Episode(seed)
    try:
        await _play(client, policy, episode, max_steps)
    except CapacityError:
        raise
    except Exception as error:  # noqa: BLE001  a failed episode is data, whoever failed
        episode.error = f"{type(error).__name__}: {error}"
    return episode


async def _play(client: GenericEnvClient, policy: Policy, episode: Episode, limit: int) -> None:
    # not Random(seed): an environment's own generator is that, and the policy would foresee it
    rng = random.Random(f"policy {episode.seed}")
    result = await client.reset(seed=episode.seed)
    episode.observations.append(result.observation)
    while not result.done and len(episode.actions) < limit:
        action = policy(result.observation, rng)
        if inspect.isawaitable(action):
            action = await action
        result = await client.step(action)
        episode.actions.append(action)
        episode.observations.append(result.observation)
        episode.rewards.append(result.reward)
    episode.done = result.done
    episode.truncated = result.truncated or not result.done
