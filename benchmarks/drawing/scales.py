"""Axes: where a value stands between 0 and 1, and which values are written beside the axis."""

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

__all__ = ["Scale", "linear", "logarithmic", "sizes", "tail"]

MOST_TICKS, MOST_LOG_TICKS = 6, 10
STEPS = (1, 2, 5, 10)


class Scale(NamedTuple):
    """An axis from `low` to `high`, which are values as `bent` makes them."""

    low: float
    high: float
    bent: Callable[[float], float]
    ticks: list[tuple[float, str]]

    def place(self, value: float) -> float:
        """0 at the axis' start, 1 at its end."""
        return (self.bent(value) - self.low) / (self.high - self.low)


def linear(values: Iterable[float]) -> Scale:
    """From zero to the first round number that none is above."""
    highest = max(values)
    unit = 10 ** math.floor(math.log10(highest))
    step = next(
        unit * each / 10 for each in (1, 2, 5, 10, 20, 50) if _fits(highest, unit * each / 10)
    )
    count = math.ceil(highest / step)
    ticks = [(step * each, shortened(step * each)) for each in range(count + 1)]
    return Scale(0, step * count, float, ticks)


def _fits(highest: float, step: float) -> bool:
    return highest / step <= MOST_TICKS


def logarithmic(values: Iterable[float]) -> Scale:
    """From the round number below all to the one above all; round are 1, 2 and 5 with zeros."""
    known = [*values]
    first, last = math.floor(math.log10(min(known))), math.ceil(math.log10(max(known)))
    powers = range(first - 1, last + 2)  # one more at either end, since a logarithm is rounded
    rounds = [step * 10.0**power for power in powers for step in STEPS[:3]]
    low = max(each for each in rounds if each <= min(known))
    high = min(each for each in rounds if each >= max(known) and each > low)
    within = [each for each in rounds if low <= each <= high]
    shown = (
        within if len(within) <= MOST_LOG_TICKS else [each for each in within if _is_power(each)]
    )
    ticks = [(each, shortened(each)) for each in shown]
    return Scale(math.log10(low), math.log10(high), math.log10, ticks)


def _is_power(value: float) -> bool:
    return math.isclose(math.log10(value), round(math.log10(value)))


def sizes(values: Iterable[float]) -> Scale:
    """Each size has a tick, and doubling is the same way everywhere."""
    known = sorted({*values})
    ticks = [(each, f"{each:,.0f}") for each in known]
    return Scale(math.log2(known[0]), math.log2(known[-1]), math.log2, ticks)


def tail(percentiles: Iterable[float]) -> Scale:
    """Percentiles, each nine more the same way further."""
    known = sorted({*percentiles})
    ticks = [(each, f"{each:g} %") for each in known if each in (50, 75, 90, 99, 99.9)]
    return Scale(_nines(known[0]), _nines(known[-1]), _nines, ticks)


def _nines(percentile: float) -> float:
    return -math.log10(1 - percentile / 100)


def shortened(value: float) -> str:
    """A number for people: 250k for 250,000."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
