"""Steps per second at one connection: a client and its own server.

Once with a core for each, once both on one core. Two cores take turns, so that time includes waking
the other core (on a virtual machine that can be most of it); one core shows the work alone.
"""

import contextlib
import functools
from collections.abc import Mapping

from benchmarks.figures import Bench, absent, measure, rates, ratio
from benchmarks.machine import LOAD_CORE, SERVER_CORE, original_python
from benchmarks.processes import Load, Running, awake, loading, serving
from benchmarks.servers import BARE, INLINE, THEIRS, original_servers, own_servers

__all__ = ["run_single"]

TIMES_ORIGINAL = 3.0
LIMIT = "raw socket, bare ASGI"
MANNERS = ("async", "sync")

Pairs = Mapping[str, tuple[Load, Running]]


def run_single(seconds: float, rounds: int) -> list[Bench]:
    with contextlib.ExitStack() as stack:
        pairs = {**_own_pairs(stack), **_original_pairs(stack)}
        one = _measured(pairs, SERVER_CORE, seconds, rounds)
        with awake():
            two = _measured(pairs, LOAD_CORE, seconds, rounds)
    one.name, one.title = "single-one-core", "One connection, client and server on one core"
    two.name, two.title = "single-two-cores", "One connection, client and server on a core each"
    return [one, two]


def _measured(pairs: Pairs, core: int, seconds: float, rounds: int) -> Bench:
    runs = {
        name: functools.partial(load.run, server, seconds, core)
        for name, (load, server) in pairs.items()
    }
    figures = rates(measure(runs, rounds))
    wanted = [_name(server, manner) for manner in MANNERS for server in THEIRS]
    figures += absent(name for name in wanted if name not in pairs)
    bench = Bench("", "", "steps/s", figures)
    for manner in MANNERS:
        rivals = [_name(server, manner) for server in THEIRS]
        usual = rivals[:1]
        ours = f"our {manner} client"
        bench.ratios += [
            ratio(bench, ours, usual, bar=TIMES_ORIGINAL),
            ratio(bench, ours, rivals),
            ratio(bench, LIMIT, usual),
            ratio(bench, LIMIT, rivals),
        ]
    return bench


def _name(server: str, manner: str) -> str:
    return f"{server}, its {manner} client"


def _own_pairs(stack: contextlib.ExitStack) -> Pairs:
    servers = own_servers()
    ours, bare = (stack.enter_context(serving(servers[name])) for name in (INLINE, BARE))
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
