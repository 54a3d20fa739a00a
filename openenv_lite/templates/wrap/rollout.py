"""Play on a running server: `MAX_TURNS=3 python rollout.py`."""

import os
import sys
from typing import Any

from openenv_lite import CallToolAction, MCPToolClient
from openenv_lite.errors import ConnectionFailedError
from openenv_lite.types import ToolSpec

__all__ = ["main"]

ENV_URL = os.environ.get("ENV_URL", "http://localhost:8000")
MAX_TURNS = int(os.environ.get("MAX_TURNS", "10"))

SAMPLES = {"integer": 1, "number": 1.0, "boolean": True, "array": [], "object": {}}
"""By the type in a tool's schema; all else is text."""


def act(tools: list[ToolSpec], turn: int) -> CallToolAction:
    """Stands for your model: each tool in its turn, with samples of what it needs."""
    tool = tools[turn % len(tools)]
    types = {name: each.get("type") for name, each in tool.input_schema["properties"].items()}
    needed = tool.input_schema.get("required", [])
    arguments = {name: SAMPLES.get(types[name], "text") for name in needed}
    return CallToolAction(tool_name=tool.name, arguments=arguments)


def main() -> None:
    """Play, and print every turn."""
    with MCPToolClient(base_url=ENV_URL).sync() as env:
        env.reset(seed=0)
        tools = env.list_tools()
        print("Tools:", ", ".join(tool.name for tool in tools))
        for turn in range(1, MAX_TURNS + 1):
            action = act(tools, turn)
            result = env.step(action)
            seen: Any = result.observation
            told = seen.result["data"] if seen.error is None else seen.error.message
            print(f"{turn}. {action.tool_name}({action.arguments}) -> {told}")
            if result.done:
                break


if __name__ == "__main__":
    try:
        main()
    except ConnectionFailedError as error:
        sys.exit(f"{error}\nStart the server first: openenv-lite serve .")
