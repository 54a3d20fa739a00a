"""What every load says and expects, and how a load process talks to the benchmark.

Standard library only: it also runs under the original's interpreter.
"""

import asyncio
import itertools
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

__all__ = [
    "PERCENTILES",
    "Sample",
    "Target",
    "Window",
    "check",
    "count",
    "count_async",
    "messages",
    "obey",
    "percentiles",
    "reset_message",
    "step_message",
    "watch",
]

T = TypeVar("T")

PERCENTILES = (10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9)
WARM_UP_SECONDS = 0.2


class Target(NamedTuple):
    """Where to send steps and for how long; `server` is the process whose time is taken."""

    address: str
    server: int
    seconds: float


class Sample(NamedTuple):
    """Steps in a window of `seconds`, and the processor seconds that load and server used.

    `latencies` are the `PERCENTILES` of the time that a call took, in seconds, where it was taken.
    """

    steps: int
    seconds: float
    load_cpu: float
    server_cpu: float
    latencies: tuple[float, ...] = ()


class ClosedLoop(Protocol):
    """One connection of many: the steps it made, and what went wrong with it."""

    steps: int
    fault: str


class Window:
    """Opened after the warm-up; `sample` closes it."""

    def __init__(self, server: int) -> None:
        self._server = server
        self._load_cpu, self._server_cpu = time.process_time(), _cpu_seconds(server)
        self.began = time.perf_counter()

    def sample(self, steps: int, times: Sequence[float] = ()) -> Sample:
        elapsed = time.perf_counter() - self.began
        load_cpu = time.process_time() - self._load_cpu
        server_cpu = _cpu_seconds(self._server) - self._server_cpu
        return Sample(steps, elapsed, load_cpu, server_cpu, percentiles(times))


def percentiles(times: Sequence[float]) -> tuple[float, ...]:
    """The `PERCENTILES`, each a time that was taken; none of none."""
    ordered = sorted(times)
    return tuple(ordered[int(len(ordered) * each / 100)] for each in PERCENTILES if ordered)


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


def count(
    call: Callable[[T], object], turns: Sequence[T], target: Target, lanes: int = 1
) -> Sample:
    """Call with each of the turns over and over; a call makes a step in each of the lanes."""
    circle = itertools.cycle(turns)
    warm = time.perf_counter() + WARM_UP_SECONDS
    while time.perf_counter() < warm:
        call(next(circle))
    times: list[float] = []
    window = Window(target.server)
    moment, end = window.began, window.began + target.seconds
    while moment < end:
        call(next(circle))
        before, moment = moment, time.perf_counter()
        times.append(moment - before)
    return window.sample(lanes * len(times), times)


async def count_async(
    call: Callable[[T], Awaitable[object]], turns: Sequence[T], target: Target, lanes: int = 1
) -> Sample:
    """As `count`."""
    circle = itertools.cycle(turns)
    warm = time.perf_counter() + WARM_UP_SECONDS
    while time.perf_counter() < warm:
        await call(next(circle))
    times: list[float] = []
    window = Window(target.server)
    moment, end = window.began, window.began + target.seconds
    while moment < end:
        await call(next(circle))
        before, moment = moment, time.perf_counter()
        times.append(moment - before)
    return window.sample(lanes * len(times), times)


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


def obey(run: Callable[[Target], Any]) -> None:
    """Say ready, then answer each line `port pid seconds` on standard input with what was found."""
    print("ready", flush=True)
    for line in sys.stdin:
        port, server, seconds = line.split()
        target = Target(f"127.0.0.1:{port}", int(server), float(seconds))
        print(json.dumps(run(target)), flush=True)
