"""Run every contestant side by side and print ratios: `python -m benchmarks [BENCH ...]`.

Ratios of one run are what counts; the figures behind them belong to one machine and one moment.
Nothing is installed: rivals that are not there are left out. `python -m benchmarks.readme` puts
what was saved into the README.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.benches import BENCHES
from benchmarks.machine import describe
from benchmarks.plots import draw
from benchmarks.report import RESULTS, Record, missed, save, show_bench, show_machine

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    facts = describe()
    show_machine(facts)
    missing_a_bar = False
    for name in options.benches or BENCHES:
        benches = BENCHES[name](options.seconds, options.rounds)
        for bench in benches:
            show_bench(bench)
        save(options.into / f"{name}.json", Record(facts, options.seconds, options.rounds, benches))
        draw(options.into, benches)
        missing_a_bar |= bool(missed(benches))
    return int(options.check and missing_a_bar)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "benches", nargs="*", type=_bench, metavar="BENCH", help=f"of {', '.join(BENCHES)}"
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="length of one run")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each contestant")
    parser.add_argument(
        "--into", type=Path, default=RESULTS, help="folder of what is saved: BENCH.json and plots"
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bar is not met")
    return parser


def _bench(name: str) -> str:
    if name not in BENCHES:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(BENCHES)}")
    return name


if __name__ == "__main__":
    sys.exit(main())
