"""Lives side by side: sessions that come, go, save, fork and end while others are played."""

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from openenv_lite.errors import CapacityError, SessionError, TransportError
from openenv_lite.testing.comparing.machine import Crowd, Draw, Party, Power, live
from openenv_lite.testing.comparing.script import outcome_of
from openenv_lite.testing.law import Need, law
from openenv_lite.testing.sessions.seen import Seen
from openenv_lite.testing.trial import Player, Saved, Trial

__all__ = ["sessions_never_meet"]


@law(
    "What a session shows depends on its own calls alone, whatever others do, and whichever of "
    "them begin or end meanwhile.",
    needs=(Need.EPISODES, Need.SEVERAL),
    after=(
        "step_count_counts_steps",
        "same_seed_same_episode",
        "an_episode_leaves_nothing_behind",
        "other_sessions_change_nothing",
        "forks_are_independent",
    ),
    cause="Something that belongs to the class or module is shared: what one session closes, "
    "clears or points to is in use by another.",
    remedy="Make it in `__init__`, one for each environment, and let `close` end only that.",
)
def sessions_never_meet(trial: Trial) -> None:
    """Play a crowd; then each session's calls alone."""
    live(lambda: Crowd(_Table(trial)), trial.data)


class _Table:
    """A `Ground` of the target's sessions, as a trial opens and writes them down."""

    most = 2
    ways: tuple[str, ...] = ()

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._names = (f"saved{number}" for number in itertools.count(1))
        self._judged_from: int | None = None
        offers = trial.subject.offers
        saves = {Power.SNAPSHOTS, Power.SHARING} if offers(Need.SNAPSHOTS) else set()
        calls = {Power.TOOLS} if trial.subject.acts_by_tools else set()
        self.powers = frozenset(saves | calls)

    def open(self, count: int) -> "_Players":
        """See `Ground`."""
        return _Players(self._trial, count, self._names)

    def alone(self) -> Player:
        """See `Ground`. Only the latest is written down: with those before nothing was amiss."""
        lines = self._trial.lines
        if self._judged_from is None:
            self._judged_from = len(lines)
        del lines[self._judged_from :]
        return self._trial.open()

    def action(self, draw: Draw, party: Any, number: int, last: Seen) -> Any:
        """See `Ground`."""
        return self._trial.action(party.players[number], last)


class _Players(Party):
    """A party of sessions without a wire between them.

    Attributes:
        players: Its sessions.
    """

    def __init__(self, trial: Trial, count: int, names: Iterator[str]) -> None:
        self._trial = trial
        self._names = names
        self.players = [trial.open() for _ in range(count)]

    def reset(self, seeds: Mapping[int, int | None]) -> dict[int, Any]:
        """See `Party`."""
        return self._each(Player.reset, seeds)

    def step(self, actions: Mapping[int, Any]) -> dict[int, Any]:
        """See `Party`."""
        return self._each(Player.step, actions)

    def _each(
        self, method: Callable[[Player, Any], Seen], moves: Mapping[int, Any]
    ) -> dict[int, Any]:
        return {
            number: _outcome_of(functools.partial(method, self.players[number], move))
            for number, move in moves.items()
        }

    def state(self, number: int) -> Any:
        """See `Party`."""
        return self.players[number].state()

    def call_tool(self, number: int, name: str, arguments: dict[str, Any]) -> Any:
        """See `Party`."""
        return self.players[number].call_tool(name, arguments)

    def snapshot(self, number: int) -> Saved:
        """See `Party`."""
        return self.players[number].snapshot(next(self._names))

    def restore(self, number: int, saved: Saved) -> None:
        """See `Party`."""
        self.players[number].restore(saved)

    def fork(self, saved: Saved) -> int:
        """See `Party`."""
        player = self._trial.open()
        player.restore(saved)
        self.players.append(player)
        return len(self.players) - 1

    def close(self) -> None:
        """See `Party`."""
        for player in self.players:
            player.close()


def _outcome_of(make: Callable[[], Seen]) -> Any:
    """As `outcome_of`, of the environment; how many a server takes and keeps is no part of it.

    Raises:
        CapacityError, SessionError, TransportError: The example says nothing.
    """
    outcome = outcome_of(make)
    if isinstance(outcome, CapacityError | SessionError | TransportError):
        raise outcome
    return outcome
