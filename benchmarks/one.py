"""Steps per second of a single environment: our subprotocol with one lane, and OpenEnv's dialect.

Twice: by frames made beforehand, where only the dialect differs, and by our clients, whose vector
of one has lists to make and take apart.
"""

import contextlib
import functools

from benchmarks.figures import Bench, measure, rates, ratio
from benchmarks.processes import awake, loading, serving
from benchmarks.servers import served

__all__ = ["run_one"]

NO_SLOWER = 1.0
DRIVES = {
    "frames, plain": ("dialects", "plain"),
    "frames, msgpack": ("dialects", "msgpack"),
    "frames, JSON": ("dialects", "json"),
    "async client, plain": ("scalar", "async"),
    "async client, msgpack": ("lanes", "msgpack", "1", "async"),
    "async client, JSON": ("lanes", "json", "1", "async"),
    "sync client, plain": ("scalar", "sync"),
    "sync client, msgpack": ("lanes", "msgpack", "1", "sync"),
    "sync client, JSON": ("lanes", "json", "1", "sync"),
}


def run_one(seconds: float, rounds: int) -> list[Bench]:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving(served("benchmarks.apps.ours:Inline")))
        stack.enter_context(awake())
        runs = {}
        for name, (drive, *arguments) in DRIVES.items():
            load = stack.enter_context(loading(f"benchmarks.drives.{drive}", *arguments))
            runs[name] = functools.partial(load.run, server, seconds)
        figures = rates(measure(runs, rounds))
    title = "One lane of our subprotocol and OpenEnv's dialect, a core each"
    bench = Bench("one", title, "steps/s", figures)
    for client in ("frames", "async client", "sync client"):
        plain = [f"{client}, plain"]
        bench.ratios += [
            ratio(bench, f"{client}, msgpack", plain, bar=NO_SLOWER),
            ratio(bench, f"{client}, JSON", plain),
        ]
    return [bench]
