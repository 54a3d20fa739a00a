"""Over a socket and directly, the same policy with the same seeds lives the same episodes."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import httpx
import numpy as np
import pytest
from gym_env import environment

from openenv_lite import GenericEnvClient, create_app
from openenv_lite.cli.episodes import Episode, Rollout, roll_out
from openenv_lite.cli.policies import policy_named
from openenv_lite.cli.sampling import Sampler
from tests.client.serving import serve
from tests.envs.medley import ID, gym_action

Convert = Callable[[Any], Any]


def plain(value: Any) -> Any:
    """What JSON makes of a Gymnasium observation."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def directly(
    original: gym.Env[Any, Any], schema: dict[str, Any], seed: int, convert: Convert
) -> Episode:
    """One episode in Gymnasium alone."""
    sampler, rng, episode = Sampler(schema), random.Random(f"policy {seed}"), Episode(seed)
    observation, _ = original.reset(seed=seed)
    episode.observations.append(plain(observation))
    while not (episode.done or len(episode.actions) == 300):
        action = sampler.draw(rng)
        seen, reward, terminated, truncated, _ = original.step(convert(action["action"]))
        episode.actions.append(action)
        episode.observations.append(plain(seen))
        episode.rewards.append(float(reward))
        episode.done, episode.truncated = bool(terminated or truncated), bool(truncated)
    episode.truncated |= not episode.done
    return episode


async def over_the_socket(url: str, episodes: int, concurrency: int) -> list[Episode]:
    def connect() -> GenericEnvClient:
        return GenericEnvClient(base_url=url)

    client = connect()
    policy = await policy_named("random", client)
    await client.close()
    played: list[Episode] = []
    await roll_out(Rollout(connect, policy, range(episodes), concurrency, 300), played.append)
    for episode in played:
        episode.observations = [each["observation"] for each in episode.observations]
    return sorted(played, key=lambda episode: episode.seed)


@pytest.mark.parametrize(
    ("id", "episodes", "convert"),
    [
        ("Blackjack-v1", 200, int),
        ("CartPole-v1", 20, int),
        ("FrozenLake-v1", 50, int),
        ("Pendulum-v1", 3, lambda value: np.array(value, np.float32)),
        (ID, 20, gym_action),
    ],
)
def test_trajectories_are_identical(id: str, episodes: int, convert: Convert) -> None:
    with serve(create_app(environment(id))) as url, gym.make(id) as original:
        schema = httpx.get(f"{url}/schema").json()["action"]
        expected = [directly(original, schema, seed, convert) for seed in range(episodes)]
        assert asyncio.run(over_the_socket(url, episodes, concurrency=3)) == expected
    assert {len(each.actions) for each in expected} != {0}
