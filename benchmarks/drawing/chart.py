"""A chart of lines with a label at the end of each, readable on light and on dark pages."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from benchmarks.drawing.scales import Scale

__all__ = ["Chart", "Line", "Spot", "drawn", "spread"]

WIDTH, HEIGHT = 820, 430
LEFT, TOP, BOTTOM = 68.0, 64.0, 62.0
LETTER, LABEL_GAP, LEADER = 6.9, 18.0, 26.0
MARK = 3.6

STYLE = """
text{font:13px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#24292f}
.title{font-size:16px;font-weight:600}
.quiet{fill:#59636e}
.grid{stroke:#d1d9e0;stroke-width:1}
path,line{fill:none;stroke-linejoin:round;stroke-linecap:round}
.ours{stroke:#0969da;fill:#0969da}
.ours-too{stroke:#1a9c8c;fill:#1a9c8c}
.ours-else{stroke:#8250df;fill:#8250df}
.rival{stroke:#d1600a;fill:#d1600a}
.rival-too{stroke:#b98900;fill:#b98900}
.limit{stroke:#7a828c;fill:#7a828c}
.limit-too{stroke:#9c5d7c;fill:#9c5d7c}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}.quiet{fill:#9198a1}.grid{stroke:#3d444d}
.ours{stroke:#4493f8;fill:#4493f8}.ours-too{stroke:#2fbfae;fill:#2fbfae}
.ours-else{stroke:#ab7df8;fill:#ab7df8}.rival{stroke:#f0883e;fill:#f0883e}
.rival-too{stroke:#d9a521;fill:#d9a521}.limit{stroke:#9198a1;fill:#9198a1}
.limit-too{stroke:#c78aa6;fill:#c78aa6}
}
path.line{fill:none;stroke-width:2.2}
path.line.limit,path.line.limit-too{stroke-dasharray:6 5}
path.line.ours{stroke-width:3}
.range{stroke-width:1.2;opacity:.7}
.leader{stroke-width:1.2;opacity:.7}
"""


class Spot(NamedTuple):
    """A point of a line: where, and the lowest, middle and highest of what was measured there."""

    at: float
    low: float
    middle: float
    high: float


class Line(NamedTuple):
    """A contestant; `kind` is one of the classes of `STYLE`."""

    label: str
    kind: str
    spots: list[Spot]


class Chart(NamedTuple):
    """What is drawn; axis labels tell the units."""

    title: str
    across: str
    up: str
    x: Scale
    y: Scale
    lines: list[Line]


class _Frame(NamedTuple):
    """The rectangle that lines are drawn in, in pixels."""

    chart: Chart
    right: float
    bottom: float

    def x(self, value: float) -> float:
        return LEFT + self.chart.x.place(value) * (self.right - LEFT)

    def y(self, value: float) -> float:
        return self.bottom - self.chart.y.place(value) * (self.bottom - TOP)


def drawn(chart: Chart) -> str:
    """The chart as an SVG document."""
    longest = max(len(line.label) for line in chart.lines)
    frame = _Frame(chart, WIDTH - LEADER - 8 - LETTER * longest, HEIGHT - BOTTOM)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img">',
        f"<title>{escape(chart.title)}</title>",
        f"<style>{STYLE}</style>",
        _text(8, 24, chart.title, "title"),
        _text(8, 46, chart.up, "quiet"),
        *_axes(frame),
    ]
    for line in chart.lines:
        parts += _line(frame, line)
    parts += _labels(frame)
    return "\n".join([*parts, "</svg>", ""])


def _axes(frame: _Frame) -> Iterator[str]:
    for value, name in frame.chart.y.ticks:
        y = frame.y(value)
        yield _stroke("grid", LEFT, y, frame.right, y)
        yield _text(LEFT - 8, y + 4.5, name, "quiet", "end")
    for value, name in frame.chart.x.ticks:
        yield _text(frame.x(value), frame.bottom + 21, name, "quiet", "middle")
    middle = (LEFT + frame.right) / 2
    yield _text(middle, frame.bottom + 46, frame.chart.across, "quiet", "middle")


def _line(frame: _Frame, line: Line) -> Iterator[str]:
    places = [(frame.x(spot.at), frame.y(spot.middle)) for spot in line.spots]
    for spot, (x, _) in zip(line.spots, places, strict=True):
        yield _stroke(f"range {line.kind}", x, frame.y(spot.low), x, frame.y(spot.high))
    way = " L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    yield f'<path class="line {line.kind}" d="M{way}"/>'
    for x, y in places:
        yield f'<circle class="{line.kind}" cx="{x:.1f}" cy="{y:.1f}" r="{MARK}"/>'


def _labels(frame: _Frame) -> Iterator[str]:
    ends = [line.spots[-1] for line in frame.chart.lines]
    wanted = [frame.y(spot.middle) for spot in ends]
    for line, end, y, placed in zip(
        frame.chart.lines, ends, wanted, spread(wanted, TOP, frame.bottom), strict=True
    ):
        x = frame.right + LEADER
        yield _stroke(f"leader {line.kind}", frame.x(end.at) + MARK + 2, y, x - 4, placed)
        yield _text(x, placed + 4.5, line.label)


def spread(wanted: Sequence[float], top: float, bottom: float) -> list[float]:
    """Places of labels, none nearer to another than `LABEL_GAP`, each near where it is wanted.

    Raises:
        ValueError: There is no room for so many.
    """
    if (len(wanted) - 1) * LABEL_GAP > bottom - top:
        raise ValueError(f"{len(wanted)} labels do not fit between {top} and {bottom}")
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    places = [0.0] * len(wanted)
    above = top - LABEL_GAP
    for each in order:
        places[each] = above = max(wanted[each], above + LABEL_GAP)
    below = bottom + LABEL_GAP
    for each in reversed(order):
        places[each] = below = min(places[each], below - LABEL_GAP)
    return places


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _stroke(kind: str, x: float, y: float, to_x: float, to_y: float) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"/>'
