"""CartPole-v1 in 64 environments: our vectors and Gymnasium's, and EnvPool as a reference.

Within a process, ours and `SyncVectorEnv` have one core. Across processes, ours has a core for the
client and one for the server; `AsyncVectorEnv` and EnvPool may use both cores as they like.
"""

import contextlib
import functools
import sys
from collections.abc import Callable

from benchmarks.drives.exchange import Sample
from benchmarks.figures import Bench, absent, measure, rates, ratio
from benchmarks.machine import LOAD_CORE, SERVER_CORE, envpool_python, has
from benchmarks.processes import Running, loading, serving
from benchmarks.servers import served

__all__ = ["run_cartpole"]

LANES = 64
NO_SLOWER = 1.0
INSIDE, SOCKET, ADAPTED = "ours, in process", "ours, over TCP", "ours, over TCP, as a VectorEnv"
SYNC, ASYNC, ENVPOOL = "Gymnasium's SyncVectorEnv", "Gymnasium's AsyncVectorEnv", "EnvPool"
USE_BOTH_CORES = (ASYNC, ENVPOOL)
DRIVES = {
    INSIDE: ("our_poles", "process"),
    SYNC: ("gymnasium_poles", "sync"),
    SOCKET: ("our_poles", "socket"),
    ADAPTED: ("our_poles", "gymnasium"),
    ASYNC: ("gymnasium_poles", "async"),
    ENVPOOL: ("envpool_poles",),
}


def run_cartpole(seconds: float, rounds: int) -> list[Bench]:
    if not has("gymnasium"):
        return [Bench("cartpole", "CartPole-v1", "steps/s", absent(DRIVES))]
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving(served("benchmarks.apps.cartpole:CartPole")))
        runs = {name: _run(stack, name, server, seconds) for name in DRIVES if _python(name)}
        figures = rates(measure(runs, rounds))
    figures += absent(name for name in DRIVES if name not in runs)
    bench = Bench("cartpole", f"CartPole-v1 in {LANES} environments", "steps/s", figures)
    bench.ratios = [
        ratio(bench, INSIDE, [SYNC], bar=NO_SLOWER),
        ratio(bench, SOCKET, [ASYNC], bar=NO_SLOWER),
        ratio(bench, ADAPTED, [ASYNC], bar=NO_SLOWER),
        ratio(bench, SOCKET, [SYNC]),
        ratio(bench, INSIDE, [ENVPOOL]),
    ]
    return [bench]


def _run(
    stack: contextlib.ExitStack, name: str, server: Running, seconds: float
) -> Callable[[], Sample]:
    drive, *manner = DRIVES[name]
    cores = [SERVER_CORE, LOAD_CORE] if name in USE_BOTH_CORES else [LOAD_CORE]
    words = f"benchmarks.drives.{drive}", *manner, str(LANES)
    load = stack.enter_context(loading(*words, python=_python(name) or sys.executable))
    return functools.partial(load.run, server, seconds, cores)


def _python(name: str) -> str | None:
    return envpool_python() if name == ENVPOOL else sys.executable
