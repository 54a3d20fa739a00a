"""Rows of figures, one figure a round, and the ratios that are judged."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from benchmarks.drives.exchange import PERCENTILES, Sample

__all__ = [
    "Bench",
    "Figures",
    "Point",
    "Ratio",
    "absent",
    "core_rates",
    "curves",
    "latencies",
    "limit",
    "measure",
    "rates",
    "ratio",
    "tail",
]

K = TypeVar("K")
T = TypeVar("T")


class Figures(msgspec.Struct):
    """What one contestant reached, round by round; empty where it is not installed.

    A row that is a point of a curve names the curve as `series`, and where it stands as `at`.
    """

    name: str
    values: list[float]
    note: str = ""
    series: str = ""
    at: float = 0.0


class Point(msgspec.Struct, frozen=True):
    """A contestant at one size of the load."""

    series: str
    at: int
    unit: str

    @property
    def name(self) -> str:
        """The row's."""
        plural = "" if self.at == 1 else "s"
        return f"{self.series}, {self.at:,} {self.unit}{plural}"


class Ratio(msgspec.Struct):
    """A quotient of two contestants, taken within each round; or a figure with a bar of its own."""

    name: str
    values: list[float]
    bar: float | None = None
    at_least: bool = True

    @property
    def wanted(self) -> str:
        if self.bar is None:
            return ""
        return f"{'at least' if self.at_least else 'at most'} {self.bar:,g}"

    @property
    def verdict(self) -> str:
        if self.bar is None:
            return ""
        if not self.values:
            return "not measured"
        median = statistics.median(self.values)
        met = median >= self.bar if self.at_least else median <= self.bar
        return "met" if met else "not met"


class Bench(msgspec.Struct):
    """One table."""

    name: str
    title: str
    unit: str
    figures: list[Figures]
    ratios: list[Ratio] = []

    def values(self, name: str) -> list[float]:
        return next((each.values for each in self.figures if each.name == name), [])


def measure(runs: Mapping[K, Callable[[], T]], rounds: int) -> dict[K, list[T]]:
    """Run A B C A B C ..., so that what disturbs the machine disturbs all alike."""
    taken: dict[K, list[T]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            taken[name].append(run())
    return taken


def rates(samples: Mapping[str, list[Sample]]) -> list[Figures]:
    """Steps per second; the note says how much of a core each side had."""
    return [
        Figures(name, [each.steps / each.seconds for each in taken], _shares(taken))
        for name, taken in samples.items()
    ]


def core_rates(samples: Mapping[str, list[Sample]]) -> list[Figures]:
    """Steps per second of the server's processor time."""
    return [
        Figures(name, [each.steps / each.server_cpu for each in taken], _shares(taken))
        for name, taken in samples.items()
    ]


def curves(samples: Mapping[Point, list[Sample]]) -> list[Figures]:
    """As `rates`, for contestants at several sizes."""
    rows = rates({point.name: taken for point, taken in samples.items()})
    for row, point in zip(rows, samples, strict=True):
        row.series, row.at = point.series, point.at
    return rows


def latencies(samples: Mapping[str, list[Sample]]) -> list[Figures]:
    """Microseconds that a call took, a row for each contestant and percentile."""
    return [
        Figures(tail(name, at), [1e6 * each.latencies[place] for each in taken], "", name, at)
        for name, taken in samples.items()
        for place, at in enumerate(PERCENTILES)
    ]


def tail(name: str, percentile: float) -> str:
    """What the row of a contestant's percentile is called."""
    return f"{name}, p{percentile:g}"


def _shares(taken: Sequence[Sample]) -> str:
    server = statistics.median(each.server_cpu / each.seconds for each in taken)
    load = statistics.median(each.load_cpu / each.seconds for each in taken)
    return f"server {server:.0%}, load {load:.0%}"


def absent(names: Iterable[str]) -> list[Figures]:
    """Rows of contestants that are not installed."""
    return [Figures(name, [], "not installed") for name in names]


def ratio(
    bench: Bench,
    over: str,
    under: Sequence[str],
    bar: float | None = None,
    at_least: bool = True,
    rivals: str = "the best OpenEnv",
) -> Ratio:
    """`over` by the highest of `under`, in each round; `rivals` is what several are called."""
    measured = [values for name in under if (values := bench.values(name))]
    best = [max(each) for each in zip(*measured, strict=True)]
    pairs = zip(bench.values(over), best, strict=False)
    name = f"{over} / {under[0] if len(under) == 1 else rivals}"
    return Ratio(name, [mine / theirs for mine, theirs in pairs], bar, at_least)


def limit(bench: Bench, row: str, most: float) -> Ratio:
    """A row that is judged by itself, in the bench's unit."""
    return Ratio(f"{row}, {bench.unit}", bench.values(row), most, at_least=False)
