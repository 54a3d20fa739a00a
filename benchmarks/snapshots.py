"""Snapshot, restore and fork of a typed state of 10 KB, within a process and over a connection.

Within a process by time: of a session alone, and of a lane of our client. Over a connection by how
many plain steps of the same environment each takes, client and server on a core each.
"""

import contextlib
import functools
import os

from benchmarks.drives.saving import HERE, SESSION, TCP, Saving
from benchmarks.figures import Bench, Figures, limit, measure, ratio
from benchmarks.processes import Running, awake, loading, serving
from benchmarks.servers import served

__all__ = ["run_snapshots"]

MOST_US, MOST_STEPS = 100.0, 3.0
PLACES = {SESSION: "a session", HERE: "our client, in process", TCP: "our client, over TCP"}
JUDGED = ("snapshot", "fork")


def run_snapshots(seconds: float, rounds: int) -> list[Bench]:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving(served("benchmarks.apps.saved:Saved")))
        stack.enter_context(awake())
        runs = {}
        for place in PLACES:
            load = stack.enter_context(loading("benchmarks.drives.saving", place, found=Saving))
            there = server if place == TCP else Running(0, os.getpid())
            runs[place] = functools.partial(load.run, there, seconds)
        taken = measure(runs, rounds)
    return [_in_process(taken), _over_tcp(taken[TCP])]


def _in_process(taken: dict[str, list[Saving]]) -> Bench:
    places = (SESSION, HERE)
    title = "A state of 10 KB within one process"
    figures = [each for place in places for each in _figures(place, taken[place])]
    bench = Bench("snapshots-in-process", title, "\N{MICRO SIGN}s", figures)
    bench.ratios = [limit(bench, _row(place, deed), MOST_US) for place in places for deed in JUDGED]
    return bench


def _over_tcp(taken: list[Saving]) -> Bench:
    title = "A state of 10 KB over TCP, client and server on a core each"
    bench = Bench("snapshots-tcp", title, "\N{MICRO SIGN}s", _figures(TCP, taken))
    step, *others = (_row(TCP, deed) for deed in Saving._fields)
    bench.ratios = [ratio(bench, each, [step], MOST_STEPS, at_least=False) for each in others]
    return bench


def _figures(place: str, taken: list[Saving]) -> list[Figures]:
    return [
        Figures(_row(place, deed), [1e6 * getattr(each, deed) for each in taken])
        for deed in Saving._fields
    ]


def _row(place: str, deed: str) -> str:
    return f"{PLACES[place]}: {deed}"
