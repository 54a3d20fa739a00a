"""Tool calls per second within one process, as a trainer makes them that needs no wire.

Counted by the processor time of that process alone, for nothing in it waits for anybody.
"""

import contextlib
import functools
import os

from benchmarks.drives.exchange import Sample
from benchmarks.figures import Bench, Figures, absent, measure, ratio
from benchmarks.machine import has
from benchmarks.processes import Running, loading

__all__ = ["run_calls"]

TIMES_FASTMCP = 100.0
OURS = "ours"
FASTMCP, SDK = "benchmarks.apps.fastmcp_tools", "benchmarks.apps.sdk_tools"
PACKAGES = {FASTMCP: "fastmcp", SDK: "mcp"}
CLIENTS = ("FastMCP, its client, legacy", "FastMCP, its client, modern")
RIVALS = {
    CLIENTS[0]: (FASTMCP, "legacy"),
    CLIENTS[1]: (FASTMCP, "2026-07-28"),
    "FastMCP, its server alone": (FASTMCP, "server"),
    "mcp, its client, legacy": (SDK, "legacy"),
    "mcp, its client, modern": (SDK, "2026-07-28"),
    "mcp, its server alone": (SDK, "server"),
}


def run_calls(seconds: float, rounds: int) -> list[Bench]:
    installed = {name: each for name, each in RIVALS.items() if has(PACKAGES[each[0]])}
    contestants: dict[str, tuple[str, ...]] = {OURS: (), **installed}
    nowhere = Running(0, os.getpid())
    with contextlib.ExitStack() as stack:
        loads = {
            name: stack.enter_context(loading("benchmarks.drives.calls", *arguments))
            for name, arguments in contestants.items()
        }
        runs = {name: functools.partial(load.run, nowhere, seconds) for name, load in loads.items()}
        samples = measure(runs, rounds)
    figures = [Figures(name, [_rate(each) for each in taken]) for name, taken in samples.items()]
    return [_judged(figures + absent(name for name in RIVALS if name not in installed))]


def _rate(sample: Sample) -> float:
    return sample.steps / sample.load_cpu


def _judged(figures: list[Figures]) -> Bench:
    title = "Tool calls in process, by their time on the core"
    bench = Bench("call", title, "calls/s", figures)
    bench.ratios = [
        ratio(bench, OURS, CLIENTS, bar=TIMES_FASTMCP, rivals="FastMCP's client"),
        *(ratio(bench, OURS, [name]) for name in RIVALS if name not in CLIENTS),
    ]
    return bench
