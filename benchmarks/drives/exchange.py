"""What every load says and expects, and how a load process talks to the benchmark.

Standard library only: it also runs under the original's interpreter.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

__all__ = [
    "Sample",
    "Target",
    "Window",
    "check",
    "count",
    "count_async",
    "messages",
    "obey",
    "reset_message",
    "step_message",
    "watch",
]

WARM_UP_STEPS = 200


class Target(NamedTuple):
    """Where to send steps and for how long; `server` is the process whose time is taken."""

    address: str
    server: int
    seconds: float


class Sample(NamedTuple):
    """Steps in a window of `seconds`, and the processor seconds that load and server used."""

    steps: int
    seconds: float
    load_cpu: float
    server_cpu: float


class ClosedLoop(Protocol):
    """One connection of many: the steps it made, and what went wrong with it."""

    steps: int
    fault: str


class Window:
    """Opened after the warm-up; `sample` closes it."""

    def __init__(self, server: int) -> None:
        self._server = server
        self._load_cpu, self._server_cpu = time.process_time(), _cpu_seconds(server)
        self._began = time.perf_counter()

    def elapsed(self) -> float:
        return time.perf_counter() - self._began

    def sample(self, steps: int) -> Sample:
        elapsed = self.elapsed()
        load_cpu = time.process_time() - self._load_cpu
        return Sample(steps, elapsed, load_cpu, _cpu_seconds(self._server) - self._server_cpu)


def _cpu_seconds(process: int) -> float:
    """What all threads of a process have used, from Linux's `/proc`."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    user, system = fields[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def messages(connection: int) -> list[str]:
    """Texts that no other connection sends, so that a reply gone astray is noticed."""
    return [f"connection {connection:02d} says {number:02d}" for number in range(16)]


def reset_message() -> bytes:
    return b'{"type":"reset","data":{}}'


def step_message(text: str) -> bytes:
    message = {"type": "step", "data": {"message": text}}
    return json.dumps(message, separators=(",", ":")).encode()


def check(message: str, observation: dict[str, Any], reward: Any) -> None:
    told = observation.get("echoed"), observation.get("length"), reward
    if told != (message, len(message), float(len(message))):
        raise ValueError(f"{message!r} was answered with {told}")


def count(step: Callable[[str], None], target: Target) -> Sample:
    texts = messages(0)
    for number in range(WARM_UP_STEPS):
        step(texts[number % 16])
    steps, window = 0, Window(target.server)
    while window.elapsed() < target.seconds:
        step(texts[steps % 16])
        steps += 1
    return window.sample(steps)


async def count_async(step: Callable[[str], Awaitable[None]], target: Target) -> Sample:
    texts = messages(0)
    for number in range(WARM_UP_STEPS):
        await step(texts[number % 16])
    steps, window = 0, Window(target.server)
    while window.elapsed() < target.seconds:
        await step(texts[steps % 16])
        steps += 1
    return window.sample(steps)


async def watch(connections: Sequence[ClosedLoop], target: Target) -> Sample:
    before = [connection.steps for connection in connections]
    window = Window(target.server)
    await asyncio.sleep(target.seconds)
    steps = [each.steps - past for each, past in zip(connections, before, strict=True)]
    sample = window.sample(sum(steps))
    if faults := [connection.fault for connection in connections if connection.fault]:
        raise ValueError(f"{len(faults)} connections failed, the first: {faults[0]}")
    if not all(steps):
        raise ValueError(f"{steps.count(0)} of {len(steps)} connections made no step")
    return sample


def obey(run: Callable[[Target], Sample]) -> None:
    """Say ready, then answer each line `port pid seconds` on standard input with a sample."""
    print("ready", flush=True)
    for line in sys.stdin:
        port, server, seconds = line.split()
        target = Target(f"127.0.0.1:{port}", int(server), float(seconds))
        print(json.dumps(run(target)), flush=True)
