"""Tables for people, JSON for the record."""

import statistics
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.figures import Bench, Ratio

__all__ = ["missed", "save", "show_bench", "show_machine"]

HOW_TO_INSTALL = (
    "OpenEnv is not installed, so its rows are left out. To have them:\n"
    "  python -m venv .venv-openenv && .venv-openenv/bin/pip install openenv==0.10.0\n"
    "or set OPENENV_ORIGINAL_PYTHON to an interpreter that has it."
)
WIDTH = 118
_console = Console(width=WIDTH, highlight=False, markup=False)


def show_machine(facts: dict[str, str]) -> None:
    for name, fact in facts.items():
        _console.print(f"{name:>10}: {fact}")
    if facts["original"] == "not installed":
        _console.print(HOW_TO_INSTALL)


def show_bench(bench: Bench) -> None:
    table = Table("contestant", title=bench.title, title_justify="left", width=WIDTH)
    for heading in (f"median {bench.unit}", "min", "max", "of a core, median"):
        table.add_column(heading, justify="right")
    for each in bench.figures:
        table.add_row(
            each.name, *_spread(each.values, ",.1f" if bench.unit == "ms" else ",.0f"), each.note
        )
    _console.print(table)
    _console.print(_ratios(bench.ratios))


def _ratios(ratios: Sequence[Ratio]) -> Table:
    table = Table("ratio, taken in each round", width=WIDTH)
    for heading in ("median", "min", "max", "bar", "verdict"):
        table.add_column(heading, justify="right")
    for each in ratios:
        table.add_row(each.name, *_spread(each.values, ".3g"), _bar(each), each.verdict)
    return table


def _bar(ratio: Ratio) -> str:
    if ratio.bar is None:
        return ""
    return f"{'at least' if ratio.at_least else 'under'} {ratio.bar:g}"


def _spread(values: Sequence[float], form: str) -> list[str]:
    if not values:
        return ["-", "-", "-"]
    return [format(pick(values), form) for pick in (statistics.median, min, max)]


def missed(benches: Sequence[Bench]) -> list[str]:
    return [each.name for bench in benches for each in bench.ratios if each.verdict == "not met"]


def save(path: Path, facts: dict[str, str], benches: Sequence[Bench]) -> None:
    path.parent.mkdir(exist_ok=True)
    record = {"machine": facts, "benches": [_record(bench) for bench in benches]}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")


def _record(bench: Bench) -> dict[str, object]:
    verdicts = [
        {**msgspec.structs.asdict(each), "median": _median(each.values), "verdict": each.verdict}
        for each in bench.ratios
    ]
    return {**msgspec.structs.asdict(bench), "ratios": verdicts}


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None
