"""What every user of `gym_env` may rely on."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from openenv_lite import GenericEnvClient, create_app
from openenv_lite.errors import ConfigurationError, InvalidMessageError

from .server.gym_environment import environment
from .server.lean import lean


def client(**options: Any) -> Any:
    return GenericEnvClient(app=create_app(environment(**options))).sync()


def test_plays_as_gymnasium_does() -> None:
    original = gym.make("Blackjack-v1")
    with client() as env, original:
        seen, _ = original.reset(seed=3)
        assert env.reset(seed=3).observation["observation"] == list(seen)
        seen, reward, terminated, *_ = original.step(1)
        result = env.step({"action": 1})
        assert result.observation["observation"] == list(seen)
        assert (result.reward, result.done) == (reward, terminated)


def test_an_action_outside_the_space_is_refused_and_the_episode_goes_on() -> None:
    with client() as env:
        env.reset(seed=3)
        for wrong in (2, -1, None, [1], "hit"):
            with pytest.raises(InvalidMessageError):
                env.step({"action": wrong})
        assert env.state()["step_count"] == 0
        env.step({"action": 0})


def test_a_time_limit_is_told_as_truncated() -> None:
    with client(id="CartPole-v1", max_episode_steps=1) as env:
        env.reset(seed=0)
        result = env.step({"action": 0})
    assert (result.done, result.truncated) == (True, True)


def test_an_end_that_falls_on_the_limit_is_told_as_both() -> None:
    with client(id="FrozenLake-v1", is_slippery=False, max_episode_steps=2) as env:
        env.reset(seed=0)
        env.step({"action": 1})
        hole = env.step({"action": 2})
    assert (hole.done, hole.truncated, hole.metadata) == (True, True, {"terminated": True})


def test_a_limit_counts_from_each_reset() -> None:
    with client(id="Pendulum-v1", max_episode_steps=2) as env:
        for _ in range(3):
            env.reset()
            assert [env.step({"action": [0.0]}).done for _ in range(2)] == [False, True]


@pytest.mark.parametrize("asked", [0, 1, 2, -1, True, 2**63, 1.0, "1", None, [0], np.int8(1)])
def test_a_quicker_space_answers_as_before(asked: Any) -> None:
    env, _ = lean(gym.make("CartPole-v1", disable_env_checker=True))
    assert env.unwrapped is env
    assert env.action_space.contains(asked) == spaces.Discrete(2).contains(asked)


def test_wrappers_of_others_stay() -> None:
    wrapped = gym.wrappers.TimeAwareObservation(gym.make("CartPole-v1"))
    assert lean(wrapped) == (wrapped, None)


def test_only_quick_families_run_on_the_event_loop() -> None:
    assert environment("Blackjack-v1").BLOCKING is False
    assert environment("Blackjack-v1", blocking=True).BLOCKING is True


def test_an_unknown_id_is_the_operators_error() -> None:
    with pytest.raises(ConfigurationError, match="cannot make 'Nope-v1'"):
        environment("Nope-v1")
