"""What a rollout came to, in one table."""

import collections
import math
import statistics
import time

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from openenv_lite.cli.episodes import Episode
from openenv_lite.printable import printable

__all__ = ["Summary"]

_NORMAL_95 = 1.96
_SHOWN_FAILURES = 5


class Summary:
    """Counts episodes as they end. Returns and lengths are those of episodes that did not fail."""

    def __init__(self) -> None:
        self.returns: list[float] = []
        self.failures: collections.Counter[str] = collections.Counter()
        self._lengths: list[int] = []
        self._steps = 0
        self._began = time.perf_counter()
        self._elapsed = 0.0

    def add(self, episode: Episode) -> None:
        """Take an episode into account."""
        self._steps += len(episode.actions)
        self._elapsed = time.perf_counter() - self._began
        if episode.error is not None:
            self.failures[episode.error] += 1
            return
        self.returns.append(episode.total)
        self._lengths.append(len(episode.actions))

    def print(self, console: Console) -> None:
        """The closing table."""
        failed = self.failures.total()
        table = Table(show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row("episodes", f"{len(self.returns) + failed:,}")
        table.add_row("return", mean_and_interval(self.returns))
        table.add_row("length", f"{statistics.fmean(self._lengths or [0]):.2f} steps")
        table.add_row("speed", f"{self._steps / (self._elapsed or 1):,.0f} steps/s")
        table.add_row("failures", f"{failed:,}")
        for error, count in self.failures.most_common(_SHOWN_FAILURES):
            table.add_row("", f"{count:,} x {escape(printable(error))}")
        console.print(table)


def mean_and_interval(values: list[float]) -> str:
    """Mean and half the width of its 95 % interval, by the normal distribution."""
    if not values:
        return "none"
    spread = statistics.stdev(values) if len(values) > 1 else math.nan
    return f"{statistics.fmean(values):.4f} ± {_NORMAL_95 * spread / math.sqrt(len(values)):.4f}"
