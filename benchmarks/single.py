"""Steps per second at one connection: a client and its own server.

Once with a core for each, once both on one core. Two cores take turns, so that time includes waking
the other core (on a virtual machine that can be most of it); one core shows the work alone.
"""

import contextlib
import functools
from collections.abc import Mapping

from benchmarks.drives.exchange import Sample
from benchmarks.figures import Bench, Ratio, absent, latencies, measure, rates, ratio, tail
from benchmarks.machine import LOAD_CORE, SERVER_CORE, original_python
from benchmarks.processes import Load, Running, awake, loading, serving
from benchmarks.servers import BARE, THEIRS, USUAL, original_servers, own_servers, served

__all__ = ["run_single"]

TIMES_ORIGINAL, OF_LIMIT, TAIL = 4.0, 0.85, 2.0
LIMIT = "raw socket, bare ASGI"
MANNERS = ("async", "sync")
OURS = tuple(f"our {manner} client" for manner in MANNERS)

Pairs = Mapping[str, tuple[Load[Sample], Running]]
Samples = Mapping[str, list[Sample]]


def run_single(seconds: float, rounds: int) -> list[Bench]:
    with contextlib.ExitStack() as stack:
        pairs = {**_own_pairs(stack), **_original_pairs(stack)}
        one = _measured(pairs, SERVER_CORE, seconds, rounds)
        with awake():
            two = _measured(pairs, LOAD_CORE, seconds, rounds)
    title = "One connection, client and server on"
    return [
        _rates("single-one-core", f"{title} one core", one),
        _rates("single-two-cores", f"{title} a core each", two),
        _latencies("latency", f"{title} a core each: time of a step", two),
    ]


def _measured(pairs: Pairs, core: int, seconds: float, rounds: int) -> Samples:
    runs = {
        name: functools.partial(load.run, server, seconds, [core])
        for name, (load, server) in pairs.items()
    }
    return measure(runs, rounds)


def _rates(name: str, title: str, samples: Samples) -> Bench:
    wanted = [_name(server, manner) for manner in MANNERS for server in THEIRS]
    figures = rates(samples) + absent(each for each in wanted if each not in samples)
    bench = Bench(name, title, "steps/s", figures)
    for ours, manner in zip(OURS, MANNERS, strict=True):
        rivals = [_name(server, manner) for server in THEIRS]
        bench.ratios += _judged(bench, ours, rivals[:1], rivals)
    return bench


def _judged(bench: Bench, ours: str, usual: list[str], rivals: list[str]) -> list[Ratio]:
    return [
        ratio(bench, ours, usual, bar=TIMES_ORIGINAL),
        ratio(bench, ours, [LIMIT], bar=OF_LIMIT),
        ratio(bench, ours, rivals),
        ratio(bench, LIMIT, usual),
        ratio(bench, LIMIT, rivals),
    ]


def _latencies(name: str, title: str, samples: Samples) -> Bench:
    shown = [*OURS, LIMIT, *(_name(USUAL, manner) for manner in MANNERS)]
    figures = latencies({each: samples[each] for each in shown if each in samples})
    bench = Bench(name, title, "\N{MICRO SIGN}s", figures)
    bench.ratios = [
        ratio(bench, tail(each, 99), [tail(each, 50)], bar=TAIL, at_least=False) for each in OURS
    ]
    return bench


def _name(server: str, manner: str) -> str:
    return f"{server}, its {manner} client"


def _own_pairs(stack: contextlib.ExitStack) -> Pairs:
    ours = stack.enter_context(serving(served("benchmarks.apps.ours:Inline")))
    bare = stack.enter_context(serving(own_servers()[BARE]))
    client = functools.partial(loading, "benchmarks.drives.client", "openenv_lite.client")
    pairs = {
        f"our {manner} client": (stack.enter_context(client(manner)), ours) for manner in MANNERS
    }
    return {**pairs, LIMIT: (stack.enter_context(loading("benchmarks.drives.raw")), bare)}


def _original_pairs(stack: contextlib.ExitStack) -> Pairs:
    python = original_python()
    if python is None:
        return {}
    servers = {
        name: stack.enter_context(serving(server)) for name, server in original_servers().items()
    }
    client = functools.partial(loading, "benchmarks.drives.client", "openenv.core", python=python)
    loads = {manner: stack.enter_context(client(manner)) for manner in MANNERS}
    return {
        _name(server, manner): (loads[manner], running)
        for manner in MANNERS
        for server, running in servers.items()
    }
