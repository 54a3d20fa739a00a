"""Ten thousand sessions open and idle in one process: their memory, their opening, their weight.

Memory is what the server's process grew by; beside it, what the kernel holds for a socket. The
weight is what they add to the steps of a hundred sessions that play, each as fast as it can.
"""

import contextlib
import functools
import resource
from collections.abc import Mapping, Sequence

from benchmarks.drives.exchange import PERCENTILES
from benchmarks.drives.holding import Holding
from benchmarks.figures import Bench, Figures, Ratio, absent, measure, rates, ratio, tail
from benchmarks.processes import Load, Server, loading, serving
from benchmarks.servers import BARE, INLINE, USUAL, original, own_servers, served

__all__ = ["run_idle"]

SESSIONS, THEIR_SESSIONS = 10_000, 1_000
MOST_KB, LEAST_RATE, WEIGHT = 60.0, 2000.0, 2.0
QUIET = ("--log-level", "warning")
"""No line about each connection, as `openenv-lite serve` has it."""
TOLD = (50.0, 99.0, 99.9)

Taken = Mapping[str, list[Holding]]


def run_idle(seconds: float, rounds: int) -> list[Bench]:
    _allow_sockets()
    rivals = {BARE: own_servers()[BARE]} | original("sync_app")
    quiet = {name: Server((*each.command, *QUIET)) for name, each in rivals.items()}
    servers = {INLINE: served("benchmarks.apps.ours:Inline")} | quiet
    with contextlib.ExitStack() as stack:
        many, fewer = (_load(stack, size) for size in (SESSIONS, THEIR_SESSIONS))
        runs = {
            name: functools.partial(_hold, server, fewer if name == USUAL else many, seconds)
            for name, server in servers.items()
        }
        taken = measure(runs, rounds)
    missing = [] if USUAL in taken else [USUAL]
    return [_memory(taken, missing), _opening(taken, missing), _weight(taken)]


def _allow_sockets() -> None:
    """As many as this machine gives anybody; servers and loads inherit it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _load(stack: contextlib.ExitStack, size: int) -> Load[Holding]:
    words = "benchmarks.drives.holding", str(size)
    return stack.enter_context(loading(*words, found=Holding))


def _hold(server: Server, load: Load[Holding], seconds: float) -> Holding:
    """On a server of its own each time, for what it has grown by once it keeps."""
    with serving(server) as running:
        return load.run(running, seconds)


def _memory(taken: Taken, missing: list[str]) -> Bench:
    figures = [
        Figures(name, [each.process_bytes / 1024 for each in holdings], _size(name))
        for name, holdings in taken.items()
    ]
    kernel = [each.kernel_bytes / 1024 for each in taken[INLINE]]
    figures += [*absent(missing), Figures("the kernel, for a socket", kernel)]
    bench = Bench("idle-memory", "Memory of an idle session", "KB", figures)
    whole = [sum(each) for each in zip(bench.values(INLINE), kernel, strict=True)]
    bench.ratios = [
        Ratio(f"{INLINE}, with the kernel's, KB", whole, MOST_KB, at_least=False),
        ratio(bench, INLINE, [BARE]),
        ratio(bench, INLINE, [USUAL]),
    ]
    return bench


def _opening(taken: Taken, missing: list[str]) -> Bench:
    figures = rates({name: [each.opening for each in holdings] for name, holdings in taken.items()})
    title = "Sessions opened, each with its first reset"
    bench = Bench("idle-opening", title, "sessions/s", figures + absent(missing))
    bench.ratios = [
        Ratio(f"{INLINE}, sessions/s", bench.values(INLINE), LEAST_RATE),
        ratio(bench, INLINE, [BARE]),
        ratio(bench, INLINE, [USUAL]),
    ]
    return bench


def _size(name: str) -> str:
    return f"{THEIR_SESSIONS if name == USUAL else SESSIONS:,} sessions"


def _weight(taken: Taken) -> Bench:
    figures = [
        Figures(tail(_when(name, when), at), [1e6 * each[place] for each in times])
        for name, holdings in taken.items()
        for when, times in _times(holdings).items()
        for place, at in enumerate(PERCENTILES)
        if at in TOLD
    ]
    title = "A step of a hundred sessions, without and with the idle ones"
    bench = Bench("idle-steps", title, "\N{MICRO SIGN}s", figures)
    bench.ratios = [
        ratio(
            bench,
            tail(_when(name, "beside the idle"), 99),
            [tail(_when(name, "alone"), 99)],
            bar=WEIGHT if name == INLINE else None,
            at_least=False,
        )
        for name in taken
    ]
    return bench


def _times(holdings: Sequence[Holding]) -> dict[str, list[tuple[float, ...]]]:
    return {
        "alone": [each.alone for each in holdings],
        "beside the idle": [each.beside for each in holdings],
    }


def _when(name: str, when: str) -> str:
    return f"{name}, {when}"
