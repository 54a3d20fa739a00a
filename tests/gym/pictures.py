"""A Gymnasium environment of pictures, which may be painted into one and the same array."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

__all__ = ["ID", "Pictures"]

ID = "tests/Pictures-v0"


class Pictures(gym.Env[Any, Any]):
    """Random colours; the info tells the sum."""

    observation_space = spaces.Box(0, 255, (5, 6, 3), np.uint8)

    def __init__(self, reuse: bool = False) -> None:
        self.reuse = reuse
        self.action_space = spaces.Discrete(2)
        self.canvas = np.zeros((5, 6, 3), np.uint8)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return self._paint()

    def step(self, action: Any) -> Any:
        picture, info = self._paint()
        return picture, float(action), False, False, info

    def _paint(self) -> Any:
        self.canvas[:] = self.np_random.integers(0, 256, self.canvas.shape)
        seen = self.canvas if self.reuse else self.canvas.copy()
        return seen, {"sum": int(self.canvas.sum())}


gym.register(ID, entry_point=f"{__name__}:Pictures")
