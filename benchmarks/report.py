"""Tables for people, JSON for the record: a file for each command, measured in one run."""

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.figures import Bench, Ratio
from benchmarks.machine import HOW_TO_INSTALL, MISSING, ROOT

__all__ = ["RESULTS", "Record", "load", "missed", "rounded", "save", "show_bench", "show_machine"]

RESULTS = ROOT / "benchmarks" / "results"
WIDTH = 118
_console = Console(width=WIDTH, highlight=False, markup=False)


class Record(msgspec.Struct):
    """One run: facts about the machine, length and number of rounds, and what came of it."""

    machine: dict[str, str]
    seconds: float
    rounds: int
    benches: list[Bench]


def show_machine(facts: dict[str, str]) -> None:
    for name, fact in facts.items():
        _console.print(f"{name:>10}: {fact}")
    for name, fact in facts.items():
        if fact == MISSING:
            _console.print(f"To have the rows of {name}: {HOW_TO_INSTALL[name]}.")


def show_bench(bench: Bench) -> None:
    table = Table("contestant", title=bench.title, title_justify="left", width=WIDTH)
    for heading in (f"median {bench.unit}", "min", "max"):
        table.add_column(heading, justify="right")
    table.add_column("of a core, median", justify="right")
    written = "{:,.0f}".format if bench.unit.endswith("/s") else "{:,.1f}".format
    for each in bench.figures:
        table.add_row(each.name, *_spread(each.values, written), each.note)
    _console.print(table)
    _console.print(_ratios(bench.ratios))


def _ratios(ratios: Sequence[Ratio]) -> Table:
    table = Table("ratio, taken in each round", width=WIDTH)
    for heading in ("median", "min", "max", "bar", "verdict"):
        table.add_column(heading, justify="right")
    for each in ratios:
        spread = _spread(each.values, rounded)
        table.add_row(each.name, *spread, each.wanted, each.verdict)
    return table


def _spread(values: Sequence[float], written: Callable[[float], str]) -> list[str]:
    if not values:
        return ["-", "-", "-"]
    return [written(pick(values)) for pick in (statistics.median, min, max)]


def rounded(value: float) -> str:
    """Three digits that count, and no power of ten."""
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:,.{digits}f}"


def missed(benches: Iterable[Bench]) -> list[str]:
    return [each.name for bench in benches for each in bench.ratios if each.verdict == "not met"]


def save(path: Path, record: Record) -> None:
    """Verdicts and medians are written too, for whoever reads the file without this module."""
    path.parent.mkdir(exist_ok=True)
    told = {**msgspec.structs.asdict(record), "benches": [_told(each) for each in record.benches]}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=1) + b"\n")


def load(path: Path) -> Record:
    return msgspec.json.decode(path.read_bytes(), type=Record)


def _told(bench: Bench) -> dict[str, object]:
    verdicts = [
        {**msgspec.structs.asdict(each), "median": _median(each.values), "verdict": each.verdict}
        for each in bench.ratios
    ]
    return {**msgspec.structs.asdict(bench), "ratios": verdicts}


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None
