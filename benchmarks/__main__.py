"""Run every contestant side by side and print ratios: `python -m benchmarks [BENCH ...]`.

Ratios of one run are what counts; the figures behind them belong to one machine and one moment.
"""

import argparse
import sys

from benchmarks.calls import run_calls
from benchmarks.imports import run_imports
from benchmarks.load import run_load
from benchmarks.machine import ROOT, describe
from benchmarks.mcp import run_mcp
from benchmarks.report import missed, save, show_bench, show_machine
from benchmarks.single import run_single

__all__ = ["main"]

BENCHES = {
    "load": run_load,
    "single": run_single,
    "imports": run_imports,
    "mcp": run_mcp,
    "call": run_calls,
}


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    facts = describe()
    show_machine(facts)
    benches = []
    for name in options.benches or BENCHES:
        for bench in BENCHES[name](options.seconds, options.rounds):
            benches.append(bench)
            show_bench(bench)
    save(ROOT / "benchmarks" / "results" / f"{options.name}.json", facts, benches)
    return int(options.check and bool(missed(benches)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "benches", nargs="*", type=_bench, metavar="BENCH", help=f"of {', '.join(BENCHES)}"
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="length of one run")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each contestant")
    parser.add_argument("--name", default="latest", help="saved as benchmarks/results/NAME.json")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bar is not met")
    return parser


def _bench(name: str) -> str:
    if name not in BENCHES:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(BENCHES)}")
    return name


if __name__ == "__main__":
    sys.exit(main())
