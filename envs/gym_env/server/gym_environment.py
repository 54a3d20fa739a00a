"""A Gymnasium environment behind the interface of `openenv_lite`."""

import contextlib
import functools
import types
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, TypeVar

import gymnasium as gym
import msgspec

from openenv_lite import Action, Environment, Observation, State, codec
from openenv_lite.errors import ConfigurationError

from .frames import png
from .lean import lean
from .spaces import Translation, translate

__all__ = ["GymEnvironment", "environment"]

ActT = TypeVar("ActT")
ObsT = TypeVar("ObsT")

_QUICK = ("gymnasium.envs.toy_text", "gymnasium.envs.classic_control")
"""Families of Gymnasium's own whose steps take microseconds."""


class _Recipe(NamedTuple):
    """What all instances of one class share."""

    make: Callable[[], gym.Env[Any, Any]]
    to_gym: Callable[[Any], Any]
    from_gym: Callable[[Any], Any]
    seen: Any
    """The observation type."""
    render: bool
    info: bool


class GymEnvironment(Environment[ActT, ObsT, State]):
    """One Gymnasium environment. Get a class for an id from `environment`."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    recipe: ClassVar[_Recipe]

    def __init__(self) -> None:
        recipe = self.recipe
        self._gym, self._limit = lean(recipe.make())
        self._steps = 0
        # What each step needs is looked up once.
        self._step, self._kind = self._gym.step, recipe.seen
        self._to_gym, self._from_gym = recipe.to_gym, recipe.from_gym
        self._tells_more = recipe.info or recipe.render

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Observation:
        """Begin an episode; seed and options go to Gymnasium's `reset`."""
        self._steps = 0
        observation, info = self._gym.reset(seed=seed, options=options)
        seen: Observation = self._kind(observation=self._from_gym(observation))
        if self._tells_more:
            self._tell(seen, info)
        return seen

    def step(self, action: Any) -> Observation:
        """Carry out one action of the action space."""
        observation, reward, terminated, truncated, info = self._step(self._to_gym(action.action))
        self._steps += 1
        if self._steps == self._limit:
            truncated = True
        seen: Observation = self._kind(
            observation=self._from_gym(observation),
            reward=float(reward),
            done=bool(terminated or truncated),
        )
        if truncated:
            _cut_off(seen, terminated)
        if self._tells_more:
            self._tell(seen, info)
        return seen

    def _tell(self, seen: Any, info: dict[str, Any]) -> None:
        """What is told only where it was asked for."""
        if self.recipe.info:
            seen.metadata.update(_json_safe(info))
        if self.recipe.render:
            seen.frame = png(self._gym.render())

    def close(self) -> None:
        """Close the Gymnasium environment."""
        self._gym.close()


def _cut_off(seen: Observation, terminated: Any) -> None:
    """Truncated; where it was terminated besides, the metadata tells that a trainer may know."""
    seen.truncated = True
    if terminated:
        seen.metadata["terminated"] = True


def environment(
    id: str = "Blackjack-v1",
    *,
    render: bool = False,
    info: bool = False,
    blocking: bool | None = None,
    **make_kwargs: Any,
) -> type[GymEnvironment[Any, Any]]:
    """A class for one Gymnasium id, its action and observation types made from the spaces.

    The action's one field is `action`. The observation's is `observation`, beside `frame` where
    asked for. Types are those of the class's generics.

    Args:
        id: As `gymnasium.make` takes it, `module:Name-v0` included.
        render: Add the picture after each reset and step as `frame`, a PNG file (base64 on the
            wire).
        info: Send Gymnasium's `info` as the observation's metadata, without what JSON cannot hold.
        blocking: Whether a step may take long and needs a thread of its own; by default True for
            all but Gymnasium's toy-text and classic-control families without `render`.
        make_kwargs: Passed on to `gymnasium.make`; `disable_env_checker` is True by default.

    Raises:
        ConfigurationError: No such environment, or a space that has no type.
    """
    if render:
        make_kwargs["render_mode"] = "rgb_array"
    make = functools.partial(gym.make, id, **{"disable_env_checker": True, **make_kwargs})
    name, quick, action, observation = _inspect(id, make)
    takes = msgspec.defstruct(
        f"{name}Action", [("action", action.kind)], bases=(Action,), kw_only=True
    )
    seen = _observation_type(name, observation, render)
    body = {
        "__doc__": f"Gymnasium's {id}.",
        "BLOCKING": (render or not quick) if blocking is None else blocking,
        "recipe": _Recipe(make, action.to_gym, observation.from_gym, seen, render, info),
    }
    base: Any = GymEnvironment
    return types.new_class(id, (base[takes, seen],), exec_body=lambda ns: ns.update(body))


def _inspect(
    id: str, make: Callable[[], gym.Env[Any, Any]]
) -> tuple[str, bool, Translation, Translation]:
    """Name, whether steps are quick, and both spaces; an instance is built and closed for it."""
    try:
        probe = make()
    except (gym.error.Error, ImportError, TypeError) as error:
        raise ConfigurationError(f"Gymnasium cannot make {id!r}: {error}") from error
    with contextlib.closing(probe):
        spec = probe.unwrapped.spec
        name = spec.name if spec is not None else type(probe.unwrapped).__name__
        action = translate(probe.action_space, f"{name}ActionSpace")
        observation = translate(probe.observation_space, f"{name}ObservationSpace", True)
        return name, type(probe.unwrapped).__module__.startswith(_QUICK), action, observation


def _observation_type(name: str, observation: Translation, render: bool) -> Any:
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [("observation", observation.kind)]
    if render:
        fields.append(("frame", bytes, b""))
    return msgspec.defstruct(f"{name}Observation", fields, bases=(Observation,), kw_only=True)


def _json_safe(info: dict[str, Any]) -> dict[str, Any]:
    """The entries that JSON can hold, arrays as lists."""
    safe = {}
    for name, value in info.items():
        with contextlib.suppress(*codec.UNSENDABLE):
            safe[str(name)] = codec.parse(codec.encode(value))
    return safe
