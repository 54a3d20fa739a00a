"""Load through our typed client of one environment. Argument: `async` or `sync`."""

import asyncio
import sys
from typing import Any

from benchmarks.apps.ours import EchoAction, EchoObservation
from benchmarks.drives.exchange import Sample, Target, check, count, count_async, messages, obey
from openenv_lite import State
from openenv_lite.client import EnvClient

__all__: list[str] = []

TURNS = [(text, EchoAction(message=text)) for text in messages(0)]


def judge(text: str, result: Any) -> None:
    seen = result.observation
    check(text, {"echoed": seen.echoed, "length": seen.length}, result.reward)


async def run_async(client: Any, target: Target) -> Sample:
    async def step(turn: tuple[str, EchoAction]) -> None:
        judge(turn[0], await client.step(turn[1]))

    async with client:
        await client.reset()
        return await count_async(step, TURNS, target)


def run_sync(client: Any, target: Target) -> Sample:
    with client:
        client.reset()
        return count(lambda turn: judge(turn[0], client.step(turn[1])), TURNS, target)


def main(manner: str) -> None:
    def run(target: Target) -> Sample:
        client = EnvClient[EchoAction, EchoObservation, State](f"http://{target.address}")
        if manner == "sync":
            return run_sync(client.sync(), target)
        return asyncio.run(run_async(client, target))

    obey(run)


if __name__ == "__main__":
    main(sys.argv[1])
