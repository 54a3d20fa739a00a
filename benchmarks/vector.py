"""Steps per second of many echo environments, stepped together on one connection.

OpenEnv steps one environment a connection, so it is given as many connections as serve it best. The
codec's limit is the same batch decoded, stepped and encoded in one process, with no network. Our
client and our server have a core each; frames made beforehand show the server alone.

OpenEnv's best is a load that never lets it wait, so ours is judged where it has not to wait either:
with two halves of the lanes on their way in turn. One frame for all of them is shown beside it.
"""

import contextlib
import functools
from collections.abc import Callable, Iterable

from benchmarks.drives.batches import JSON, MSGPACK
from benchmarks.drives.exchange import Sample
from benchmarks.figures import Bench, Point, absent, curves, measure, ratio
from benchmarks.machine import SERVER_CORE
from benchmarks.processes import Running, awake, loading, serving
from benchmarks.servers import THEIRS, USUAL, original_servers, served

__all__ = ["run_vector"]

SIZES = (1, 16, 64, 256, 1024)
CONNECTIONS = (16, 32, 64, 128)
TIMES_ORIGINAL, OF_LIMIT = {256: 40.0, 1024: 60.0}, 0.5

OURS, OURS_JSON, OURS_SYNC = "ours, msgpack", "ours, JSON", "ours, msgpack, sync client"
HALVES = "ours, msgpack, in two halves"
FRAMES, LIMIT, LIMIT_JSON = "ours, frames made beforehand", "codec's limit", "codec's limit, JSON"
DRIVES = {
    OURS: ("lanes", MSGPACK, "async"),
    OURS_JSON: ("lanes", JSON, "async"),
    OURS_SYNC: ("lanes", MSGPACK, "sync"),
    HALVES: ("lanes", MSGPACK, "halves"),
    FRAMES: ("frames", MSGPACK),
    LIMIT: ("codec", MSGPACK),
    LIMIT_JSON: ("codec", JSON),
}
"""By curve: the drive, the encoding, and what else the drive takes after the number of lanes."""

Runs = dict[Point, Callable[[], Sample]]


def run_vector(seconds: float, rounds: int) -> list[Bench]:
    with contextlib.ExitStack() as stack:
        stack.enter_context(awake())
        server = stack.enter_context(serving(served("benchmarks.apps.ours:Inline")))
        runs: Runs = {
            Point(series, size, "lane"): _run(stack, series, size, server, seconds)
            for series in DRIVES
            for size in SIZES
            if size > 1 or series != HALVES
        }
        figures = curves(measure(runs | _original_runs(stack, seconds), rounds))
    known = {each.series for each in figures}
    figures += absent(name for name in (USUAL, THEIRS[-1]) if name not in known)
    title = "Lanes of one connection, client and server on a core each"
    bench = Bench("vector", title, "steps/s", figures)
    for size, times in TIMES_ORIGINAL.items():
        _judge(bench, size, times)
    return [bench]


def _run(
    stack: contextlib.ExitStack, series: str, size: int, server: Running, seconds: float
) -> Callable[[], Sample]:
    drive, encoding, *more = DRIVES[series]
    words = f"benchmarks.drives.{drive}", encoding, str(size), *more
    load = stack.enter_context(loading(*words))
    cores = {"cores": [SERVER_CORE]} if drive == "codec" else {}
    return functools.partial(load.run, server, seconds, **cores)


def _original_runs(stack: contextlib.ExitStack, seconds: float) -> Runs:
    servers = {name: each for name, each in original_servers().items() if name in _SHOWN}
    running = {name: stack.enter_context(serving(each)) for name, each in servers.items()}
    crowd = functools.partial(loading, "benchmarks.drives.crowd")
    loads = {size: stack.enter_context(crowd(str(size))) for size in CONNECTIONS if running}
    return {
        Point(name, size, "connection"): functools.partial(load.run, server, seconds)
        for name, server in running.items()
        for size, load in loads.items()
    }


_SHOWN = (USUAL, THEIRS[-1])


def _judge(bench: Bench, size: int, times: float) -> None:
    ours, as_json, sync, halves, frames, limit, limit_json = (
        Point(series, size, "lane").name for series in DRIVES
    )
    usual, kinder = ([*_connections(each)] for each in _SHOWN)
    bench.ratios += [
        ratio(bench, ours, usual),
        ratio(bench, ours, [limit]),
        ratio(bench, as_json, usual),
        ratio(bench, as_json, [limit_json]),
        ratio(bench, sync, usual),
        ratio(bench, halves, usual, bar=times),
        ratio(bench, halves, [limit], bar=OF_LIMIT),
        ratio(bench, frames, [limit]),
        ratio(bench, ours, kinder, rivals="the kindest OpenEnv"),
    ]


def _connections(series: str) -> Iterable[str]:
    return (Point(series, size, "connection").name for size in CONNECTIONS)
