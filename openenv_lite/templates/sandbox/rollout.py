"""Play one episode on a running server: `MAX_TURNS=3 python rollout.py`."""

import os
import sys
from typing import Any

from openenv_lite import CallToolAction, MCPToolClient
from openenv_lite.errors import ConnectionFailedError

__all__ = ["main"]

ENV_URL = os.environ.get("ENV_URL", "http://localhost:8000")
MAX_TURNS = int(os.environ.get("MAX_TURNS", "10"))


def act(seen: list[Any]) -> CallToolAction:
    """Stands for your model: the next tool call, for what the calls so far have given."""
    if not seen:
        return CallToolAction(tool_name="list_files")
    if len(seen) == 1:
        return CallToolAction(tool_name="read_file", arguments={"path": "numbers.txt"})
    total = sum(int(line) for line in seen[1].split())
    answer = {"path": "answer.txt", "text": str(total)}
    return CallToolAction(tool_name="write_file", arguments=answer)


def main() -> None:
    """Play, and print every turn."""
    with MCPToolClient(base_url=ENV_URL).sync() as env:
        print(env.reset(seed=0).metadata["task"])
        print("Tools:", ", ".join(tool.name for tool in env.list_tools()))
        seen: list[Any] = []
        for turn in range(1, MAX_TURNS + 1):
            action = act(seen)
            result = env.step(action)
            observation: Any = result.observation
            seen.append(observation.result["data"])
            print(f"{turn}. {action.tool_name} -> {seen[-1]!r}, reward {result.reward}")
            if result.done:
                break


if __name__ == "__main__":
    try:
        main()
    except ConnectionFailedError as error:
        sys.exit(f"{error}\nStart the server first: openenv-lite serve .")
