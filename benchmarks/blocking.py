"""Environments with a plain `def step`, which may block: each needs a thread.

First a step that does nothing, where the thread is all the cost; then one that sleeps 10 ms, where
64 environments in step should take no longer than one.
"""

import contextlib
import functools

from benchmarks.drives.exchange import Sample
from benchmarks.figures import Bench, Figures, Ratio, absent, measure, rates, ratio
from benchmarks.processes import awake, loading, serving
from benchmarks.servers import THREADED, USUAL, original, own_servers, served

__all__ = ["run_blocking"]

CONNECTIONS, LANES = 32, 64
TIMES_ORIGINAL, TIMES_SLEEP, SLEEP_MS = 1.5, 1.3, 10.0
VECTOR, SCALAR = "ours, 64 lanes of a connection", "ours, 64 connections"
THEIRS = "OpenEnv, 64 connections"


def run_blocking(seconds: float, rounds: int) -> list[Bench]:
    return [_trivial(seconds, rounds), _sleeping(seconds, rounds)]


def _trivial(seconds: float, rounds: int) -> Bench:
    servers = {THREADED: own_servers()[THREADED]} | original("sync_app")
    with contextlib.ExitStack() as stack:
        load = stack.enter_context(loading("benchmarks.drives.crowd", str(CONNECTIONS)))
        runs = {
            name: functools.partial(load.run, stack.enter_context(serving(server)), seconds)
            for name, server in servers.items()
        }
        figures = rates(measure(runs, rounds))
    figures += absent([USUAL] if USUAL not in servers else [])
    title = f"A step on a thread, /ws at {CONNECTIONS} connections, server on one core"
    bench = Bench("blocking", title, "steps/s", figures)
    bench.ratios = [ratio(bench, THREADED, [USUAL], bar=TIMES_ORIGINAL)]
    return bench


def _sleeping(seconds: float, rounds: int) -> Bench:
    theirs = original("sleeping_app")
    with contextlib.ExitStack() as stack:
        stack.enter_context(awake())
        ours = stack.enter_context(serving(served("benchmarks.apps.ours:Sleeping")))
        crowd = stack.enter_context(loading("benchmarks.drives.crowd", str(LANES)))
        words = "benchmarks.drives.lanes", "msgpack", str(LANES), "async"
        vector = stack.enter_context(loading(*words))
        runs = {VECTOR: functools.partial(vector.run, ours, seconds)}
        runs[SCALAR] = functools.partial(crowd.run, ours, seconds)
        for server in theirs.values():
            running = stack.enter_context(serving(server))
            runs[THEIRS] = functools.partial(crowd.run, running, seconds)
        samples = measure(runs, rounds)
    figures = [Figures(name, [_round_ms(each) for each in took]) for name, took in samples.items()]
    figures += absent([] if theirs else [THEIRS])
    title = f"A step of each of {LANES} environments that sleep {SLEEP_MS:g} ms"
    bench = Bench("sleeping", title, "ms", figures)
    bench.ratios = [
        _times_sleep(bench, VECTOR, TIMES_SLEEP),
        _times_sleep(bench, SCALAR, None),
        _times_sleep(bench, THEIRS, None),
    ]
    return bench


def _round_ms(sample: Sample) -> float:
    return 1000 * sample.seconds / sample.steps * LANES


def _times_sleep(bench: Bench, row: str, most: float | None) -> Ratio:
    times = [each / SLEEP_MS for each in bench.values(row)]
    return Ratio(f"{row} / the sleep itself", times, most, at_least=False)
