"""A plot for each question, drawn from saved or fresh results."""

import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from benchmarks.drawing.chart import Chart, Line, Spot, drawn
from benchmarks.drawing.scales import Scale, linear, logarithmic, sizes, tail
from benchmarks.figures import Bench, Figures

__all__ = ["PLOTS", "Plot", "draw", "plotted"]

Axis = Callable[[Iterable[float]], Scale]


class Plot(NamedTuple):
    """A question, which curves of a bench answer it, and how each is called and drawn."""

    title: str
    across: str
    up: str
    x: Axis
    y: Axis
    curves: dict[str, tuple[str, str]]


PLOTS = {
    "vector": Plot(
        "Steps of many environments: throughput against batch size",
        "environments stepped together; a connection each for OpenEnv, lanes of one for ours",
        "steps/s, median and range",
        sizes,
        logarithmic,
        {
            "codec's limit": ("codec's limit, no network", "limit"),
            "ours, msgpack": ("ours, msgpack", "ours"),
            "ours, JSON": ("ours, JSON", "ours-too"),
            "OpenEnv": ("OpenEnv", "rival"),
            "OpenEnv, async def, our uvicorn options": ("OpenEnv, tuned", "rival-too"),
        },
    ),
    "connections": Plot(
        "Steps one at a time: throughput against connections",
        "connections, an environment each",
        "steps/s of a server on one core, median and range",
        sizes,
        linear,
        {
            "bare picows": ("bare picows", "limit-too"),
            "bare ASGI": ("bare ASGI", "limit"),
            "ours, inline": ("ours", "ours"),
            "ours, threaded": ("ours, on threads", "ours-too"),
            "OpenEnv, async def, our uvicorn options": ("OpenEnv, tuned", "rival-too"),
            "OpenEnv": ("OpenEnv", "rival"),
        },
    ),
    "latency": Plot(
        "A step over one connection: how long it takes",
        "share of the steps that took no longer",
        "microseconds from call to result, median of the rounds and range",
        tail,
        logarithmic,
        {
            "OpenEnv, its sync client": ("OpenEnv, its sync client", "rival"),
            "OpenEnv, its async client": ("OpenEnv, its async client", "rival-too"),
            "our async client": ("our async client", "ours-too"),
            "our sync client": ("our sync client", "ours"),
            "raw socket, bare ASGI": ("raw socket, bare ASGI", "limit"),
        },
    ),
}
"""By the name of their bench."""


def draw(folder: Path, benches: Iterable[Bench]) -> None:
    """Write the plots that there are for these benches."""
    for bench in benches:
        if bench.name in PLOTS:
            (folder / f"{bench.name}.svg").write_text(plotted(PLOTS[bench.name], bench))


def plotted(plot: Plot, bench: Bench) -> str:
    """The plot as an SVG document; contestants that were not there have no line."""
    named = ((curve, _spots(bench, curve)) for curve in plot.curves)
    lines = [Line(*plot.curves[curve], spots) for curve, spots in named if spots]
    spots = [spot for line in lines for spot in line.spots]
    across = plot.x(spot.at for spot in spots)
    up = plot.y(value for spot in spots for value in (spot.low, spot.high))
    return drawn(Chart(plot.title, plot.across, plot.up, across, up, lines))


def _spots(bench: Bench, curve: str) -> list[Spot]:
    rows = [row for row in bench.figures if row.series == curve and row.values]
    return [_spot(row) for row in sorted(rows, key=lambda row: row.at)]


def _spot(row: Figures) -> Spot:
    return Spot(row.at, min(row.values), statistics.median(row.values), max(row.values))
