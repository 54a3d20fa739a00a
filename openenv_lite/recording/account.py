"""The account of one session: which episode an event belongs to, and when that is over."""

import time
from typing import Any, NamedTuple

from openenv_lite.recording.events import About, Event, Kind, Outcome
from openenv_lite.recording.recorder import Recorder

__all__ = ["Account", "Beginning"]


class Beginning(NamedTuple):
    """What a reset was told, and the id of the episode that came of it."""

    episode: str
    seed: int | None = None
    options: str = ""


class Account:
    """Tells what happens in a session, in the order in which it does.

    Args:
        recorder: Where to.
        session: Id of the session.
        about: What is told of each of its episodes.

    Attributes:
        is_under_way: Whether an episode has begun and is not over.
    """

    def __init__(self, recorder: Recorder, session: str, about: About) -> None:
        self._recorder = recorder
        self._session = session
        self._about = about
        self._episode = session
        self._step = 0
        self.is_under_way = False

    def begin(self, beginning: Beginning, outcome: Outcome, seconds: float = 0.0) -> None:
        """An episode began, or could not."""
        left = self._left()
        self._enter(beginning.episode)
        told = {"seed": beginning.seed, "options": beginning.options, **self._about._asdict()}
        event = self._event(Kind.BEGIN, outcome, seconds, **told)
        self._write(*left, event, *self._end_if_over(outcome))

    def act(
        self, kind: Kind, action: str, outcome: Outcome, seconds: float, options: str = ""
    ) -> None:
        """An action was carried out, or failed.

        Args:
            kind: A step or a call.
            action: JSON text.
            outcome: What it came to.
            seconds: How long it took.
            options: JSON text of what else a step was told.
        """
        unbegun = [] if self.is_under_way else [self._unbegun()]
        self._step += 1
        event = self._event(kind, outcome, seconds, action=action, options=options)
        over = [self._end(outcome)] if outcome.done else []
        self._write(*unbegun, event, *over)

    def save(self, snapshot: str, seconds: float) -> None:
        """The state was saved."""
        self._write(self._event(Kind.SNAPSHOT, Outcome(), seconds, snapshot=snapshot))

    def restore(self, snapshot: str, episode: str, outcome: Outcome, seconds: float) -> None:
        """A saved state took the place of the session's, or was to do so."""
        left = self._left()
        self._enter(episode)
        told = {"snapshot": snapshot, **self._about._asdict()}
        event = self._event(Kind.RESTORE, outcome, seconds, **told)
        self._write(*left, event, *self._end_if_over(outcome))

    def leave(self) -> None:
        """The session is over, and with it what was under way."""
        self._write(*self._left())

    def _enter(self, episode: str) -> None:
        self._episode, self._step, self.is_under_way = episode, 0, True

    def _unbegun(self) -> Event:
        """The beginning of an episode for which nobody sent a reset."""
        self._enter(self._episode)
        return self._event(Kind.BEGIN, Outcome(), 0.0, **self._about._asdict())

    def _end_if_over(self, outcome: Outcome) -> list[Event]:
        """An episode that could not begin is over, as is one that was over from the start."""
        return [self._end(outcome)] if outcome.done or outcome.code else []

    def _left(self) -> list[Event]:
        return [self._end(Outcome())] if self.is_under_way else []

    def _end(self, outcome: Outcome) -> Event:
        self.is_under_way = False
        flags = Outcome(done=outcome.done, truncated=outcome.truncated)
        return self._event(Kind.END, flags, 0.0)

    def _event(self, kind: Kind, outcome: Outcome, seconds: float, **told: Any) -> Event:
        return Event(
            event=kind,
            session=self._session,
            episode=self._episode,
            step=self._step,
            time=time.time(),
            seconds=seconds,
            **told,
            **outcome._asdict(),
        )

    def _write(self, *events: Event) -> None:
        if events:
            self._recorder.write(events)
