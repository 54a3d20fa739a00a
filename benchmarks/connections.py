"""Steps per second over `/ws` against the number of connections, the server on one core."""

import contextlib
import functools

from benchmarks.figures import Bench, Point, absent, curves, measure, ratio
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

__all__ = ["run_connections"]

SIZES = (1, 4, 16, 64, 256)
SHOWN = (INLINE, THREADED, BARE, PICOWS, USUAL, THEIRS[-1])


def run_connections(seconds: float, rounds: int) -> list[Bench]:
    servers = own_servers() | original_servers()
    shown = [name for name in SHOWN if name in servers]
    with contextlib.ExitStack() as stack:
        running = {name: stack.enter_context(serving(servers[name])) for name in shown}
        crowd = functools.partial(loading, "benchmarks.drives.crowd")
        loads = {size: stack.enter_context(crowd(str(size))) for size in SIZES}
        runs = {
            Point(name, size, "connection"): functools.partial(load.run, running[name], seconds)
            for name in shown
            for size, load in loads.items()
        }
        figures = curves(measure(runs, rounds))
    figures += absent(name for name in SHOWN if name not in servers)
    title = "/ws, server on one core, by the number of connections"
    bench = Bench("connections", title, "steps/s", figures)
    for size in SIZES:
        ours, bare, usual = (Point(each, size, "connection") for each in (INLINE, BARE, USUAL))
        bench.ratios += [ratio(bench, ours.name, [each.name]) for each in (bare, usual)]
    return [bench]
