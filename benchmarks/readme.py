"""What the README says of performance, from saved results: `python -m benchmarks.readme`.

Redraws the plots too, so that what the page shows is always what `results/` holds.
"""

import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.benches import BENCHES
from benchmarks.figures import Bench, Ratio
from benchmarks.machine import MISSING, ROOT
from benchmarks.packages import CHANGES
from benchmarks.plots import PLOTS, draw
from benchmarks.report import RESULTS, Record, load, rounded

__all__ = ["main", "page_of", "performance", "records", "with_section"]

OPENING = """\
What is compared runs in the same minutes on the same machine: each contestant in turn, round after
round, client and server on a core each, every reply checked. A ratio is taken within a round; shown
are its median and range. Absolute figures belong to one machine and are not promised. OpenEnv is
0.10.0 as its users run it; where it is called tuned, its environment is `async def` and it has our
uvicorn options. Ours is mostly what `openenv-lite serve` runs, bare ASGI always plain uvicorn.
"""
MOVING = "| what you change | steps/s, of OpenEnv's own | range |\n|---|---|---|"
HEADING = "| what | ratio | median | range | wanted | |\n|---|---|---|---|---|---|"
BESIDE = "ours under plain uvicorn"
"""Begins the name of a ratio that has no bar, and is shown beside one that has."""
TOLD_ELSEWHERE = ("load-core", "mcp-core", "single-one-core")
"""Benches that tell the same in another way; their figures are saved, and not on the page."""


def main() -> None:
    found = records()
    for record in found.values():
        draw(RESULTS, record.benches)
    page = ROOT / "README.md"
    page.write_text(page_of(page.read_text(), found))


def page_of(page: str, found: Mapping[str, Record]) -> str:
    """The page with all that the results say."""
    written = with_section(page, "performance", performance(found))
    return with_section(written, "moving", _moving(found))


def records(folder: Path = RESULTS) -> dict[str, Record]:
    """What is saved, by command."""
    paths = {name: folder / f"{name}.json" for name in BENCHES}
    return {name: load(path) for name, path in paths.items() if path.exists()}


def with_section(page: str, name: str, text: str) -> str:
    """The page with the text between the two markers of that name.

    Raises:
        ValueError: The page lacks a marker.
    """
    begin, end = f"<!-- {name}, by python -m benchmarks.readme -->", f"<!-- end of {name} -->"
    parts = re.fullmatch(f"(.*{begin}\n).*({end}.*)", page, re.DOTALL)
    if parts is None:
        raise ValueError(f"The page has no lines {begin} and {end}")
    return parts[1] + text + parts[2]


def performance(found: Mapping[str, Record]) -> str:
    """Plots, the table of what has a bar, and what it was measured on."""
    benches = [bench for record in found.values() for bench in record.benches]
    return "\n".join([OPENING, *_images(benches), *_table(benches), "", *_machines(found), ""])


def _images(benches: Sequence[Bench]) -> Iterator[str]:
    drawn = {bench.name for bench in benches}
    for name, plot in PLOTS.items():
        if name in drawn:
            yield f"![{plot.title}](benchmarks/results/{name}.svg)\n"


def _table(benches: Sequence[Bench]) -> Iterator[str]:
    yield HEADING
    for bench in benches:
        told = [] if bench.name in TOLD_ELSEWHERE else bench.ratios
        shown = [each for each in told if each.bar is not None or each.name.startswith(BESIDE)]
        for title, ratio in zip([bench.title, *[""] * len(shown)], shown, strict=False):
            yield f"| {' | '.join([title, *_cells(ratio)])} |"


def _moving(found: Mapping[str, Record]) -> str:
    """What an author of OpenEnv's gains, change by change; empty if it was not measured."""
    benches = found["packages"].benches if "packages" in found else []
    ratios = next((each.ratios for each in benches if each.name == "package"), [])
    rows = zip(CHANGES.values(), ratios, strict=False)
    told = [f"| {what} | {' | '.join(_range(each))} |" for what, each in rows if each.values]
    return "\n".join([MOVING, *told, ""])


def _range(ratio: Ratio) -> tuple[str, str]:
    middle, low, high = (rounded(pick(ratio.values)) for pick in (statistics.median, min, max))
    return f"**{middle}**", f"{low} to {high}"


def _cells(ratio: Ratio) -> list[str]:
    if not ratio.values:
        return [ratio.name, "", "", ratio.wanted, ratio.verdict]
    return [ratio.name, *_range(ratio), ratio.wanted, ratio.verdict]


def _machines(found: Mapping[str, Record]) -> Iterator[str]:
    """A paragraph for each machine and commit, with the commands that ran there."""
    runs: dict[tuple[str, ...], list[str]] = {}
    for name, record in found.items():
        facts = *record.machine.values(), f"{record.rounds} rounds of {record.seconds:g} s"
        runs.setdefault(facts, []).append(f"`{name}`")
    for (processor, system, commit, ours, *rivals, effort), names in runs.items():
        versions = "; ".join(each for each in (ours, *rivals) if each != MISSING)
        yield f"{', '.join(names)}: {processor}; {system}; commit {commit}; {effort}. {versions}.\n"


if __name__ == "__main__":
    main()
