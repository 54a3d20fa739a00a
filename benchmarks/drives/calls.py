"""Calls of the echo tool within one process: validated, and every result checked; no wire.

Arguments: none for ours; for a rival, the module of its app and how its tools are called.
"""

import asyncio
import importlib
import sys
from typing import Any

from benchmarks.apps.our_tools import Echo
from benchmarks.drives.exchange import Sample, Target, count_async, messages, obey

__all__: list[str] = []


def check(message: str, text: str, structured: Any) -> None:
    if text != message or structured != {"result": message}:
        raise ValueError(f"{message!r} was answered with {text!r} and {structured}")


async def run_ours(target: Target) -> Sample:
    environment = Echo()

    async def call(message: str) -> None:
        result = await environment.call_tool("echo", {"message": message})
        check(message, result["content"][0]["text"], result["structured_content"])

    return await count_async(call, messages(0), target)


async def run_rival(target: Target, module: str, manner: str) -> Sample:
    async with importlib.import_module(module).caller(manner) as caller:

        async def call(message: str) -> None:
            result = await caller.call_tool("echo", {"message": message})
            check(message, result.content[0].text, result.structured_content)

        return await count_async(call, messages(0), target)


def main(*arguments: str) -> None:
    if arguments:
        obey(lambda target: asyncio.run(run_rival(target, *arguments)))
    else:
        obey(lambda target: asyncio.run(run_ours(target)))


if __name__ == "__main__":
    main(*sys.argv[1:])
