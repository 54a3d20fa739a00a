"""Load through a `GenericEnvClient`, ours or the original's: the same loop for both.

Arguments: the module to import the client from, and `async` or `sync`.
"""

import asyncio
import importlib
import sys
from typing import Any

from benchmarks.drives.exchange import Sample, Target, check, count, count_async, messages, obey

__all__: list[str] = []


async def run_async(client: Any, target: Target) -> Sample:
    async with client:
        await client.reset()

        async def step(message: str) -> None:
            result = await client.step({"message": message})
            check(message, result.observation, result.reward)

        return await count_async(step, messages(0), target)


def run_sync(client: Any, target: Target) -> Sample:
    with client:
        client.reset()

        def step(message: str) -> None:
            result = client.step({"message": message})
            check(message, result.observation, result.reward)

        return count(step, messages(0), target)


def main(module: str, manner: str) -> None:
    client_type = importlib.import_module(module).GenericEnvClient

    def run(target: Target) -> Sample:
        client = client_type(base_url=f"http://{target.address}")
        if manner == "sync":
            return run_sync(client.sync(), target)
        return asyncio.run(run_async(client, target))

    obey(run)


if __name__ == "__main__":
    main(*sys.argv[1:])
