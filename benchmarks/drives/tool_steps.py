"""Steps that call a tool through a `GenericEnvClient`, ours or the original's.

Argument: the module to import the client from.
"""

import importlib
import sys
from typing import Any

from benchmarks.drives.exchange import Sample, Target, count, messages, obey

__all__: list[str] = []


def run(client: Any, target: Target) -> Sample:
    with client:
        client.reset()

        def step(message: str) -> None:
            action = {"type": "call_tool", "tool_name": "echo", "arguments": {"message": message}}
            told = client.step(action).observation["result"]["data"]
            if told != message:
                raise ValueError(f"{message!r} was answered with {told!r}")

        return count(step, messages(0), target)


def main(module: str) -> None:
    client = importlib.import_module(module).GenericEnvClient
    obey(lambda target: run(client(base_url=f"http://{target.address}").sync(), target))


if __name__ == "__main__":
    main(*sys.argv[1:])
