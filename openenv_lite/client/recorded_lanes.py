"""The carriers of a vector client that records; the twin of `recorded` for many lanes.

What befalls one lane is told in the order in which its calls were sent, whatever reply comes first;
`recorded_lane` sees to it.
"""

import functools
from collections.abc import Callable, Iterable
from typing import Any

from openenv_lite import codec
from openenv_lite.batches import (
    Close,
    Closed,
    Fork,
    Open,
    Opened,
    Refused,
    Reset,
    Restore,
    Restored,
    Results,
    Snapshot,
    Snapshots,
    Step,
)
from openenv_lite.client.carriers import AsyncCarrier, Heard, SyncCarrier
from openenv_lite.client.recorded import Ledger
from openenv_lite.client.recorded_lane import LOSS, Call, Renewed, Seat
from openenv_lite.client.remote_errors import error_of
from openenv_lite.client.vector_plan import VectorPlan
from openenv_lite.client.vector_words import Unreadable, VectorWords
from openenv_lite.errors import ConnectionLostError, OpenEnvError
from openenv_lite.recording.events import (
    About,
    text_of,
)
from openenv_lite.recording.recorder import Recorder
from openenv_lite.types import StepResult

__all__ = ["RecordedAsyncCarrier", "RecordedSyncCarrier", "ledger_of"]


def ledger_of(plan: VectorPlan) -> Ledger | None:
    """What a client of this plan records with; None where it does not.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    if plan.settings.record is None:
        return None
    return Ledger(Recorder.to_file(plan.settings.record), _about(plan))


def _about(plan: VectorPlan) -> About:
    if plan.target is not None:
        return About(plan.target.base_url)
    made = getattr(plan.env, "func", plan.env)  # of a partial
    return About(f"{made.__module__}:{getattr(made, '__qualname__', made)}", mode=plan.mode.value)


class _Transcript:
    """Requests and replies of one connection."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._seats: dict[int, Seat] = {}
        self._sessions: dict[int, str] = {}
        self._opening: dict[int, Open | Fork] = {}
        self._plain: dict[int, dict[int, Call]] = {}
        self._posted: dict[int, dict[int, Call]] = {}
        self._is_closing = self._is_joined = False
        self._sends: dict[Any, Callable[[Any], None]] = {
            Open: self._open,
            Fork: self._open,
            Close: self._close,
            Reset: self._reset,
            Step: self._step,
            Snapshot: self._snapshot,
            Restore: self._restore,
        }
        self._hears: dict[Any, Callable[[Any], None]] = {
            Opened: self._opened,
            Closed: self._closed,
            Results: self._results,
            Snapshots: self._snapshots,
            Restored: self._restored,
            Refused: self._refused,
            Unreadable: self._unreadable,
        }

    def sent(self, request: Any) -> None:
        """A request goes out."""
        if not self._is_joined:
            self._is_joined = True
            self._ledger.recorder.join()
        note = self._sends.get(type(request))
        if note is not None:
            note(request)

    def heard(self, reply: Any) -> None:
        """A reply has come."""
        note = self._hears.get(type(reply))
        if note is not None:
            note(reply)

    def ended(self) -> None:
        """No more replies will come."""
        if not self._is_joined:
            return
        self._is_joined = False
        for lane, seat in self._seats.items():
            seat.lose()
            if self._is_closing:
                self._ledger.close(self._sessions[lane])
        self._ledger.recorder.leave()

    def _open(self, request: Open | Fork) -> None:
        self._opening[request.id] = request

    def _opened(self, reply: Opened) -> None:
        request = self._opening.pop(reply.id or 0, None)
        if request is None:
            return
        for place, (lane, session) in enumerate(zip(reply.lanes, reply.sessions, strict=True)):
            seat = Seat(self._ledger.account(session), request.autoreset)
            self._seats[lane], self._sessions[lane] = seat, session
            if isinstance(request, Fork):
                seat.restore(request.snapshots[place], None, 0.0)

    def _close(self, request: Close) -> None:
        self._is_closing = self._is_closing or request.lanes is None

    def _closed(self, reply: Closed) -> None:
        for lane in reply.lanes:
            self._seats.pop(lane).lose()
            self._ledger.close(self._sessions.pop(lane))

    def _reset(self, request: Reset) -> None:
        lanes = self._named(request.lanes)
        seeds = request.seeds or [None] * len(lanes)
        told = [_with_seed(request.options, seed) for seed in seeds]
        self._send(request, zip(lanes, told, strict=False), Seat.reset)

    def _step(self, request: Step[Any]) -> None:
        lanes, actions = self._named(request.lanes), map(text_of, request.actions)
        self._send(request, zip(lanes, actions, strict=False), Seat.step)

    def _snapshot(self, request: Snapshot) -> None:
        self._send(request, ((lane, None) for lane in self._named(request.lanes)), Seat.save)

    def _restore(self, request: Restore) -> None:
        lanes, handles = self._named(request.lanes), request.snapshots
        handles = handles * len(lanes) if len(handles) == 1 else handles
        self._send(request, zip(lanes, handles, strict=False), Seat.restore)

    def _named(self, lanes: list[int] | None) -> list[int]:
        return [*self._seats] if lanes is None else lanes

    def _send(self, request: Any, moves: Iterable[tuple[int, Any]], tell: Any) -> None:
        """A call in each lane; what there is no lane for is refused."""
        calls = {
            lane: self._seats[lane].call(functools.partial(tell, self._seats[lane], move))
            for lane, move in moves
            if lane in self._seats
        }
        if getattr(request, "wait", None) is None:
            self._plain[request.id] = calls
            return
        self._posted[request.id] = calls
        for lane, call in calls.items():
            self._seats[lane].posted = call

    def _results(self, reply: Results[Any]) -> None:
        told = [_told(reply, place) for place in range(len(reply.lanes))]
        self._settle(reply.id or 0, zip(reply.lanes, told, strict=True))

    def _snapshots(self, reply: Snapshots) -> None:
        self._settle(reply.id or 0, zip(reply.lanes, reply.handles, strict=True))

    def _restored(self, reply: Restored) -> None:
        told = [_error_in(reply, lane) for lane in reply.lanes]
        self._settle(reply.id or 0, zip(reply.lanes, told, strict=True))

    def _settle(self, request: int, told: Iterable[tuple[int, Any]]) -> None:
        calls = self._plain.pop(request, {})
        self._posted.pop(request, None)
        for lane, each in told:
            seat = self._seats.get(lane)
            call = calls.get(lane) or (seat and seat.posted)
            if seat and call:
                call.settle(each)
                seat.tell_settled()

    def _refused(self, reply: Refused) -> None:
        self._settle_all(reply.id, error_of(reply.data))

    def _unreadable(self, reply: Unreadable) -> None:
        self._settle_all(reply.id, LOSS)

    def _settle_all(self, request: int | None, error: OpenEnvError) -> None:
        """One error is all that came of a request."""
        if request is None:
            return
        self._opening.pop(request, None)
        for lane, call in (self._plain.pop(request, {}) | self._posted.pop(request, {})).items():
            call.settle(error)
            if lane in self._seats:
                self._seats[lane].tell_settled()


def _with_seed(options: dict[str, Any], seed: int | None) -> dict[str, Any]:
    return options if seed is None else {**options, "seed": seed}


def _told(reply: Results[Any], place: int) -> StepResult[Any] | OpenEnvError | Renewed:
    lane = reply.lanes[place]
    error = _error_in(reply, lane)
    first = error or StepResult(
        reply.observations[place],
        reply.rewards[place],
        reply.done[place],
        reply.metadata.get(lane, {}),
        lane in reply.truncated,
    )
    last = reply.final.get(lane)
    if last is None:
        return first
    if isinstance(first, StepResult):  # the columns tell how the episode before it ended
        first = StepResult(first.observation, None, False, first.metadata)
    return Renewed(last, first)


def _error_in(reply: Any, lane: int) -> OpenEnvError | None:
    data = reply.errors.get(lane)
    return None if data is None else error_of(data)


class _Overheard(VectorWords):
    """Words whose replies are told to a transcript as they came, whatever types the client has."""

    def __init__(self, words: VectorWords, heard: Heard) -> None:
        vars(self).update(vars(words))
        self._words = words
        self._heard = heard

    def decode(self, frame: Any) -> Any:
        """See `VectorWords`."""
        reply = self._words.decode(frame)
        self._heard(self._as_it_came(frame) if isinstance(frame, bytes) else reply)
        return reply

    def _as_it_came(self, frame: bytes) -> Any:
        try:
            return self._decode_loosely(frame)
        except codec.UNSENDABLE as error:
            return self._unreadable(frame, error)


class RecordedAsyncCarrier:
    """An `AsyncCarrier` that is recorded.

    Args:
        make: From words to a carrier that is not.
        words: The client's.
        ledger: Where to.
    """

    def __init__(
        self, make: Callable[[VectorWords], AsyncCarrier], words: VectorWords, ledger: Ledger
    ) -> None:
        self._transcript = _Transcript(ledger)
        self._inner = make(_Overheard(words, self._transcript.heard))

    async def connect(
        self, heard: Heard, ended: Callable[[ConnectionLostError], None], session: str | None
    ) -> None:
        """See `AsyncCarrier`."""
        await self._inner.connect(heard, ended, session)

    async def send(self, request: Any) -> None:
        """See `AsyncCarrier`."""
        self._transcript.sent(request)
        await self._inner.send(request)

    async def close(self) -> None:
        """See `AsyncCarrier`."""
        try:
            await self._inner.close()
        finally:
            self._transcript.ended()


class RecordedSyncCarrier:
    """A `SyncCarrier` that is recorded; made as its twin is."""

    def __init__(
        self, make: Callable[[VectorWords], SyncCarrier], words: VectorWords, ledger: Ledger
    ) -> None:
        self._transcript = _Transcript(ledger)
        self._inner = make(_Overheard(words, self._transcript.heard))

    def connect(self, session: str | None) -> None:
        """See `SyncCarrier`."""
        self._inner.connect(session)

    def loss(self) -> ConnectionLostError | None:
        """See `SyncCarrier`."""
        return self._inner.loss()

    def send(self, request: Any) -> None:
        """See `SyncCarrier`."""
        self._transcript.sent(request)
        self._inner.send(request)

    def receive(self, timeout_s: float | None) -> Any:
        """See `SyncCarrier`."""
        return self._inner.receive(timeout_s)

    def close(self) -> None:
        """See `SyncCarrier`."""
        try:
            self._inner.close()
        finally:
            self._transcript.ended()
