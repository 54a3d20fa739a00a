"""Play one episode on a running server: `MAX_TURNS=3 python rollout.py`."""

import base64
import os
import sys
from typing import Any

from openenv_lite import CallToolAction, MCPToolClient
from openenv_lite.errors import ConnectionFailedError

__all__ = ["main"]

ENV_URL = os.environ.get("ENV_URL", "http://localhost:8000")
MAX_TURNS = int(os.environ.get("MAX_TURNS", "10"))


def act(picture: bytes, turn: int) -> CallToolAction:
    """Stands for your model, and does not look: the next action, for the last PNG."""
    if turn % 2:
        return CallToolAction(tool_name="click", arguments={"x": 160, "y": 20 * turn % 240})
    return CallToolAction(tool_name="type_text", arguments={"text": "hello"})


def picture_in(observation: Any) -> bytes:
    """The picture in a tool's result, for which `call_tool` has no plain value."""
    (block,) = [each for each in observation.result["content"] if each["type"] == "image"]
    return base64.b64decode(block["data"])


def main() -> None:
    """Play, and print every turn."""
    with MCPToolClient(base_url=ENV_URL).sync() as env:
        print("Screen:", env.reset(seed=0).metadata)
        print("Tools:", ", ".join(tool.name for tool in env.list_tools()))
        result = env.step(CallToolAction(tool_name="screenshot"))
        for turn in range(1, MAX_TURNS + 1):
            action = act(picture_in(result.observation), turn)
            result = env.step(action)
            size = len(picture_in(result.observation))
            print(f"{turn}. {action.tool_name} -> {size} bytes of PNG, reward {result.reward}")
            if result.done:
                break


if __name__ == "__main__":
    try:
        main()
    except ConnectionFailedError as error:
        sys.exit(f"{error}\nStart the server first: openenv-lite serve .")
