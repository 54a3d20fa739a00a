"""Play one episode on a running server: `MAX_TURNS=3 python rollout.py`."""

import os
import sys
from typing import Any

from openenv_lite import GenericEnvClient
from openenv_lite.errors import ConnectionFailedError

__all__ = ["main"]

ENV_URL = os.environ.get("ENV_URL", "http://localhost:8000")
MAX_TURNS = int(os.environ.get("MAX_TURNS", "10"))


class Agent:
    """Stands for your model: it halves what is left."""

    def __init__(self) -> None:
        self.low, self.high, self.number = 1, 100, 0

    def act(self, observation: dict[str, Any]) -> dict[str, Any]:
        """The next action, for what was seen last."""
        if observation["hint"] == "higher":
            self.low = self.number + 1
        elif observation["hint"] == "lower":
            self.high = self.number - 1
        self.number = (self.low + self.high) // 2
        return {"number": self.number}


def main() -> None:
    """Play, and print every turn."""
    agent = Agent()
    with GenericEnvClient(base_url=ENV_URL).sync() as env:
        result = env.reset(seed=7)
        for turn in range(1, MAX_TURNS + 1):
            action = agent.act(result.observation)
            result = env.step(action)
            print(f"{turn}. {action} -> {result.observation['hint']}, reward {result.reward}")
            if result.done:
                break


if __name__ == "__main__":
    try:
        main()
    except ConnectionFailedError as error:
        sys.exit(f"{error}\nStart the server first: openenv-lite serve .")
