"""Steps per second over `/ws` at 32 connections, the server on one core, the load on another.

Counted twice: by the clock, and by the processor time that the server used. Where a server has all
of its core the two agree; where something else on the machine takes a share, only the second holds.
"""

import contextlib
import functools

from benchmarks.figures import Bench, Figures, absent, core_rates, measure, rates, ratio
from benchmarks.processes import loading, serving
from benchmarks.servers import (
    BARE,
    INLINE,
    PICOWS,
    THEIRS,
    THREADED,
    USUAL,
    original_servers,
    own_servers,
)

__all__ = ["run_load"]

CONNECTIONS = 32
OF_BARE, TIMES_ORIGINAL = 0.85, 4.5


def run_load(seconds: float, rounds: int) -> list[Bench]:
    servers = own_servers() | original_servers()
    with contextlib.ExitStack() as stack:
        load = stack.enter_context(loading("benchmarks.drives.crowd", str(CONNECTIONS)))
        runs = {
            name: functools.partial(load.run, stack.enter_context(serving(server)), seconds)
            for name, server in servers.items()
        }
        samples = measure(runs, rounds)
    title = f"/ws at {CONNECTIONS} connections, server on one core"
    return [
        _judged("load", title, "steps/s", rates(samples)),
        _judged("load-core", f"{title}, by its time on the core", "steps/s", core_rates(samples)),
    ]


def _judged(name: str, title: str, unit: str, figures: list[Figures]) -> Bench:
    known = {each.name for each in figures}
    figures += absent(each for each in THEIRS if each not in known)
    bench = Bench(name, title, unit, figures)
    bench.ratios = [
        ratio(bench, INLINE, [BARE], bar=OF_BARE),
        ratio(bench, INLINE, [USUAL], bar=TIMES_ORIGINAL),
        ratio(bench, INLINE, THEIRS),
        ratio(bench, INLINE, [PICOWS]),
        ratio(bench, BARE, [USUAL]),
        ratio(bench, BARE, THEIRS),
        ratio(bench, THREADED, [USUAL]),
    ]
    return bench
