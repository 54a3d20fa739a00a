"""Answer questions of a running server, one a turn: `MAX_TURNS=3 python rollout.py`."""

import os
import sys

from openenv_lite import CallToolAction, MCPToolClient
from openenv_lite.errors import ConnectionFailedError

__all__ = ["main"]

ENV_URL = os.environ.get("ENV_URL", "http://localhost:8000")
MAX_TURNS = int(os.environ.get("MAX_TURNS", "8"))


def act(question: str) -> CallToolAction:
    """Stands for your model: it knows one answer."""
    text = "Canberra" if "Australia" in question else "12"
    return CallToolAction(tool_name="answer", arguments={"text": text})


def main() -> None:
    """Play one episode a turn, and print it."""
    with MCPToolClient(base_url=ENV_URL).sync() as env:
        print("Tools:", ", ".join(tool.name for tool in env.list_tools()))
        for turn in range(1, MAX_TURNS + 1):
            question = env.reset(seed=turn).metadata["question"]
            action = act(question)
            result = env.step(action)
            print(f"{turn}. {question} {action.arguments['text']}, reward {result.reward}")


if __name__ == "__main__":
    try:
        main()
    except ConnectionFailedError as error:
        sys.exit(f"{error}\nStart the server first: openenv-lite serve .")
