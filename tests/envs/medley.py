"""A Gymnasium environment with a space of every kind, that tells what reached it."""

import copy
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

__all__ = ["ACTIONS", "ID", "Medley", "gym_action"]

ID = "tests/Medley-v0"

ACTIONS = spaces.Dict(
    {
        "turn left?": spaces.Discrete(3, start=-1),
        "push": spaces.Box(np.array([-1, 0], np.float32), np.array([1, np.inf], np.float32)),
        "both": spaces.Tuple((spaces.MultiBinary(2), spaces.MultiDiscrete([2, 5]))),
        "grid": spaces.Box(0, 255, (2, 3), np.uint8),
        "word": spaces.Text(min_length=1, max_length=4, charset="ab]^-\\"),
    }
)


class Medley(gym.Env[Any, Any]):
    """Ends after five steps; the observation is the last action, the reward is random."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 1}
    action_space = ACTIONS
    observation_space = spaces.Tuple((ACTIONS, spaces.Box(-np.inf, np.inf, (), np.float64)))

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.samples = copy.deepcopy(ACTIONS)  # a space holds a generator, sessions share nothing

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.left = (options or {}).get("steps", 5)
        return self._seen(self._an_action()), {"options": options, "lock": object()}

    def step(self, action: Any) -> Any:
        assert action in ACTIONS
        self.left -= 1
        info = {"array": np.arange(3), "number": np.float32(0.5), "lock": object()}
        reward = np.float64(self.np_random.random())
        return self._seen(action), reward, np.bool_(self.left == 0), False, info

    def render(self) -> Any:
        return np.full((4, 6, 3), self.left, np.uint8)

    def _seen(self, action: Any) -> Any:
        return action, np.array(self.np_random.random(), np.float64)

    def _an_action(self) -> Any:
        self.samples.seed(int(self.np_random.integers(1000)))
        return self.samples.sample()


def gym_action(plain: Any) -> Any:
    """An action off the wire as Gymnasium has it, written out by hand."""
    bits, choices = plain["both"]
    return {
        "turn left?": plain["turn left?"],
        "push": np.array(plain["push"], np.float32),
        "both": (np.array(bits, np.int8), np.array(choices, np.int64)),
        "grid": np.array(plain["grid"], np.uint8),
        "word": plain["word"],
    }


gym.register(ID, entry_point=f"{__name__}:Medley")
