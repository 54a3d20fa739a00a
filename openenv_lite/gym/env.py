"""A Gymnasium environment that is served."""

from collections.abc import Callable
from typing import Any, Unpack

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

from openenv_lite.batches import Autoreset
from openenv_lite.client.target import ASGIApp
from openenv_lite.client.vector_plan import Place
from openenv_lite.gym.playing import GymOptions, connected, reset_options

__all__ = ["GymEnv"]


class GymEnv(gym.Env[Any, Any]):
    """An environment of a server, or of this process, as a `gymnasium.Env`.

    `info` holds the metadata of observations; a reward that was not given is 0.

    Args:
        base_url: As `VectorEnvClient` takes it.
        app: An ASGI app of this process to talk to without a socket.
        env: An environment's class, or a function that makes one, to play here with no server.
        **options: As `GymVectorEnv` takes them.

    Raises:
        ValueError: Not exactly one of URL, app and env, or a value that an option cannot have.
        ConfigurationError: A space is neither told nor given.
        ConnectionFailedError: There is no such server.
    """

    metadata = {"render_modes": []}

    def __init__(
        self,
        base_url: str | None = None,
        *,
        app: ASGIApp | None = None,
        env: Callable[[], Any] | None = None,
        **options: Unpack[GymOptions],
    ) -> None:
        place = Place(base_url, app, env)
        self._client, self._layout = connected(place, 1, Autoreset.DISABLED, options)
        self.observation_space = self._layout.observation_space
        self.action_space = self._layout.action_space
        self.spec = _spec(lambda **others: GymEnv(**place._asdict(), **{**options, **others}))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; the options are the environment's own."""
        super().reset(seed=seed)
        first = self._client.reset(seed, **reset_options(options))[0]
        return self._member(first.observation), first.metadata

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Carry out one action.

        Raises:
            ResetRequiredError, EpisodeDoneError: The episode is not running.
            InvalidMessageError: The action is not in the space; the episode goes on.
        """
        layout = self._layout
        last = self._client.step(layout.wrapped([layout.action.plain(action)]))[0]
        ended = last.truncated and last.metadata.pop("terminated", False) is True
        terminated = ended or (last.done and not last.truncated)
        reward = float(last.reward or 0)
        return self._member(last.observation), reward, terminated, last.truncated, last.metadata

    def _member(self, observation: Any) -> Any:
        (value,) = self._layout.values([observation])
        return self._layout.observation.member(value)

    def close(self) -> None:
        """End the session, and with it the environment."""
        self._client.close()


def _spec(make: Callable[..., "GymEnv"]) -> EnvSpec:
    """With which Gymnasium can make another.

    It copies arguments, an app with all that lives in it; a function it leaves as it is.
    """
    return EnvSpec("openenv_lite/GymEnv-v0", make, order_enforce=False, disable_env_checker=True)
