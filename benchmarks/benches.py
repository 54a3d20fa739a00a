"""The benches by the name of their command, in the order of the report."""

from collections.abc import Callable

from benchmarks.blocking import run_blocking
from benchmarks.calls import run_calls
from benchmarks.cartpole import run_cartpole
from benchmarks.connections import run_connections
from benchmarks.figures import Bench
from benchmarks.idle import run_idle
from benchmarks.imports import run_imports
from benchmarks.load import run_load
from benchmarks.mcp import run_mcp
from benchmarks.one import run_one
from benchmarks.packages import run_packages
from benchmarks.single import run_single
from benchmarks.snapshots import run_snapshots
from benchmarks.start import run_start
from benchmarks.vector import run_vector

__all__ = ["BENCHES"]

BENCHES: dict[str, Callable[[float, int], list[Bench]]] = {
    "vector": run_vector,
    "one": run_one,
    "load": run_load,
    "connections": run_connections,
    "single": run_single,
    "blocking": run_blocking,
    "cartpole": run_cartpole,
    "idle": run_idle,
    "start": run_start,
    "imports": run_imports,
    "mcp": run_mcp,
    "call": run_calls,
    "snapshots": run_snapshots,
    "packages": run_packages,
}
"""Each takes the seconds of a run and the number of rounds."""
