"""A Gymnasium vector environment whose environments are the lanes of one connection."""

from collections.abc import Callable, Sequence
from typing import Any, Unpack

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from openenv_lite.batches import Autoreset
from openenv_lite.client.target import ASGIApp
from openenv_lite.client.vector_plan import Place
from openenv_lite.client.vector_result import VectorResult
from openenv_lite.gym.playing import GymOptions, connected, reset_options

__all__ = ["GymVectorEnv"]

Flags = NDArray[np.bool_]
Told = tuple[Any, NDArray[np.float64], Flags, Flags, dict[str, Any]]


class GymVectorEnv(VectorEnv[Any, Any, Any]):
    """Environments of a server, or of this process, as one `gymnasium.vector.VectorEnv`.

    The error of a lane is raised, typed as the server told it; the other lanes have taken their
    step all the same. `info` holds the metadata of observations.

    Args:
        base_url: As `VectorEnvClient` takes it.
        app: An ASGI app of this process to talk to without a socket.
        env: An environment's class, or a function that makes one, to play here with no server.
        num_envs: Lanes.
        autoreset_mode: What follows the end of an episode, as `SyncVectorEnv` takes it.
        **options: `observation_space` and `action_space` of one environment, where the types do
            not tell them; `encoding`; and those of `ConnectionSettings`.

    Raises:
        ValueError: Not exactly one of URL, app and env, or a value that an option cannot have.
        ConfigurationError: A space is neither told nor given.
        ConnectionFailedError: There is no such server.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        app: ASGIApp | None = None,
        env: Callable[[], Any] | None = None,
        num_envs: int = 1,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        **options: Unpack[GymOptions],
    ) -> None:
        mode = AutoresetMode(autoreset_mode)
        self.num_envs = num_envs
        self.metadata = {"autoreset_mode": mode}
        self._client, self._layout = connected(
            Place(base_url, app, env), num_envs, Autoreset[mode.name], options
        )
        self.single_observation_space = self._layout.observation_space
        self.single_action_space = self._layout.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._seen: list[Any] = [None] * num_envs

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode in each lane.

        Args:
            seed: That of the first lane, each further one's is greater by 1; or one for each lane.
            options: The environment's own. `reset_mask`, a Boolean array with an entry for each
                lane, resets only some; their observations stand among the others' latest.
        """
        if isinstance(seed, int):
            super().reset(seed=seed)
            seed = range(seed, seed + self.num_envs)
        others = dict(options or {})
        mask = others.pop("reset_mask", None)
        lanes = None if mask is None else self._chosen(mask)
        if lanes is not None and seed is not None:
            seed = [seed[lane] for lane in lanes]
        result = self._client.reset(seed, lanes, **reset_options(others))
        result.raise_errors()
        values = self._layout.values(result.observations)
        for lane, value in zip(result.lanes, values, strict=True):
            self._seen[lane] = value
        return self._layout.observation.batch(self._seen), self._infos(result)

    def _chosen(self, mask: Any) -> list[int]:
        if getattr(mask, "shape", None) != (self.num_envs,) or mask.dtype != np.bool_:
            raise ValueError(f"reset_mask must be an array of {self.num_envs} Booleans")
        if not mask.any():
            raise ValueError("reset_mask must name one lane or more")
        return np.flatnonzero(mask).tolist()

    def step(self, actions: Any) -> Told:
        """Carry out one action in each lane.

        Args:
            actions: A member of `action_space`.

        Returns:
            Observations, rewards (NaN where there was none), terminated, truncated, infos.
        """
        layout = self._layout
        result = self._client.step(layout.wrapped(layout.action.split(actions)))
        if result.errors:
            result.raise_errors()
        self._seen = layout.values(result.observations)
        observations = layout.observation.batch(self._seen)
        rewards = np.array(result.rewards, np.float64)
        terminated, truncated = _ends(result)
        infos = self._infos(result) if result.metadata or result.final else {}
        return observations, rewards, terminated, truncated, infos

    def _infos(self, result: VectorResult[Any]) -> dict[str, Any]:
        """The metadata of all lanes as Gymnasium gathers them, the last step's before the next."""
        infos: dict[str, Any] = {}
        for lane, last in result.final.items():
            (value,) = self._layout.values([last.observation])
            final = {"final_obs": self._layout.observation.member(value)}
            infos = self._add_info(infos, {**final, "final_info": last.metadata}, lane)
        for lane, metadata in result.metadata.items():
            infos = self._add_info(infos, metadata, lane)
        return infos

    def close_extras(self, **kwargs: Any) -> None:
        """End all lanes, and with them their environments."""
        self._client.close()


def _ends(result: VectorResult[Any]) -> tuple[Flags, Flags]:
    """Where an episode ended by its own rules, and where it was cut off; both is possible."""
    done = np.array(result.done, np.bool_)
    if True not in result.truncated:
        return done, np.zeros_like(done)
    truncated = np.array(result.truncated, np.bool_)
    return done & ~truncated | _told_terminated(result), truncated


def _told_terminated(result: VectorResult[Any]) -> Flags:
    """Where the metadata of a step that was cut off tells that its episode had ended besides."""
    ended = np.zeros(len(result), np.bool_)
    for place in np.flatnonzero(result.truncated):
        lane = result.lanes[place]
        last = result.final.get(lane)
        metadata = result.metadata.get(lane, {}) if last is None else last.metadata
        ended[place] = metadata.pop("terminated", False) is True
    return ended
