"""One served environment is to Gymnasium what its own is."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gym_env import environment
from gymnasium.utils.env_checker import check_env, data_equivalence

from openenv_lite import create_app
from openenv_lite.errors import EpisodeDoneError, InvalidMessageError, ResetRequiredError
from openenv_lite.gym import GymEnv
from tests.client.serving import serve
from tests.envs.medley import ID as MEDLEY


@contextlib.contextmanager
def served(place: str, id: str, **options: Any) -> Iterator[GymEnv]:
    kind = environment(id, **options)
    with contextlib.ExitStack() as stack:
        where: Any = {"env": kind}
        if place != "env":
            app = create_app(kind)
            where = (
                {"app": app} if place == "app" else {"base_url": stack.enter_context(serve(app))}
            )
        yield stack.enter_context(contextlib.closing(GymEnv(**where)))


def warned(env: gym.Env[Any, Any], **options: Any) -> set[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_env(env, **options)
    return {str(each.message) for each in caught}


@pytest.mark.parametrize("place", ["env", "app", "tcp"])
def test_gymnasiums_check_has_nothing_to_say(place: str) -> None:
    with served(place, "Blackjack-v1") as env:
        assert warned(env) == set()


def test_of_cartpole_it_says_what_it_says_of_gymnasiums_own() -> None:
    """Its space has no bounds for speeds."""
    with served("tcp", "CartPole-v1") as env, gym.make("CartPole-v1") as original:
        expected = warned(original.unwrapped, skip_render_check=True)  # which needs pygame
        assert warned(env) == expected
        assert all("infinity" in each for each in expected)


@pytest.mark.parametrize("id", ["CartPole-v1", "Blackjack-v1", "Pendulum-v1", MEDLEY])
def test_episodes_are_gymnasiums_own(id: str) -> None:
    with (
        served("env", id, max_episode_steps=9) as env,
        gym.make(id, max_episode_steps=9) as original,
    ):
        assert env.observation_space == original.observation_space
        for seed in range(5):
            play_both(env, original, seed)


def play_both(env: gym.Env[Any, Any], original: gym.Env[Any, Any], seed: int) -> None:
    env.action_space.seed(seed)
    seen, expected = env.reset(seed=seed)[0], original.reset(seed=seed)[0]
    done = False
    while not done:
        assert seen in env.observation_space
        assert data_equivalence(plain(seen), plain(expected), exact=True)
        action = env.action_space.sample()
        seen, *ours, _ = env.step(action)
        expected, *theirs, _ = original.step(action)
        assert ours == theirs
        assert [type(each) for each in ours] == [float, bool, bool]
        done = bool(ours[1] or ours[2])


def plain(value: Any) -> Any:
    """NumPy's numbers as Python's: a space has both."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    return value.item() if isinstance(value, np.generic) else value


def test_wrappers_and_options_work() -> None:
    with served("env", "CartPole-v1") as env:
        wrapped = gym.wrappers.TimeLimit(gym.wrappers.RecordEpisodeStatistics(env), 3)
        seen, _ = wrapped.reset(seed=0, options={"low": 0.01, "high": 0.02})
        assert ((seen >= 0.01) & (seen <= 0.02)).all()
        ends = [wrapped.step(0)[3] for _ in range(3)]
        assert ends == [False, False, True]
        assert wrapped.spec is not None
        assert wrapped.spec.max_episode_steps == 3


def test_the_info_is_the_metadata() -> None:
    with served("env", MEDLEY, info=True) as env:
        assert env.reset(options={"steps": 2})[1]["options"] == {"steps": 2}
        assert env.step(env.action_space.sample())[4] == {"array": [0, 1, 2], "number": 0.5}


def test_what_is_out_of_order_or_out_of_space_is_refused() -> None:
    with served("app", "CartPole-v1", max_episode_steps=1) as env:
        with pytest.raises(ResetRequiredError):
            env.step(0)
        env.reset()
        with pytest.raises(InvalidMessageError):
            env.step(2)
        assert env.step(1)[3]
        with pytest.raises(EpisodeDoneError):
            env.step(1)
