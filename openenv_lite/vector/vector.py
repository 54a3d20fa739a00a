"""Lanes opened, played and closed together: from a request to a reply that tells of each."""

import asyncio
import copy
import functools
import math
import operator
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Sequence
from typing import Any

from openenv_lite.batches import (
    Close,
    Closed,
    Fork,
    Open,
    Opened,
    ReadState,
    Receive,
    Reset,
    Restore,
    Snapshot,
    States,
    Step,
)
from openenv_lite.context import InputRequired
from openenv_lite.errors import CallCancelledError, InvalidMessageError, OpenEnvError
from openenv_lite.failures import typed
from openenv_lite.pool import Pool
from openenv_lite.session import Session
from openenv_lite.types import ServerMode
from openenv_lite.vector.branches import Branches
from openenv_lite.vector.columns import results_of
from openenv_lite.vector.inline import CALLS, CALLS_PER_LOOK, Inline, unknown
from openenv_lite.vector.lane import Lane, Seal, check_one_each
from openenv_lite.vector.leases import Leases, ended
from openenv_lite.vector.readiness import Outcome, Readiness, Told
from openenv_lite.vector.seats import Seats

__all__ = ["Vector"]

Reply = Any
"""One of the replies in `batches`."""

Answer = Reply | Coroutine[Any, Any, Reply]
"""A reply that is there at once, or one to wait for."""

Move = tuple[int, Any]
"""A lane's number, and the action or the options for it."""

_AWAITED = {name: operator.attrgetter(name) for name in (*CALLS, "state")}


class Vector:
    """The lanes of one connection. Calls for a lane are carried out in the order they came.

    Args:
        pool: Where sessions come from.
        mode: The sessions'.
        principal: Whose they are; None for whoever knows their ids.
        seal: Applied to an observation that may be told only after its lane has gone on.
        stretch_s: How long inline calls may hold the event loop before others have a turn.

    Attributes:
        leases: The sessions in its lanes.
        is_inline: Every call runs on the event loop. Nothing remembers their order then but the
            caller, who awaits the answer to a step, reset or state before asking for the next.
    """

    def __init__(
        self,
        pool: Pool,
        mode: ServerMode,
        principal: str | None = None,
        seal: Seal = copy.deepcopy,
        stretch_s: float = math.inf,
    ) -> None:
        self.leases = Leases(pool, mode, principal)
        self.is_inline = pool.blueprint.inline
        self._mode = mode
        self._seats = Seats(seal)
        self._lanes = self._seats.lanes
        self._inline = Inline(self._lanes, mode, stretch_s)
        self._readiness = Readiness()
        self._under_way: dict[int, set[asyncio.Future[Any]]] = {}
        self._branches = Branches(pool, principal, self)
        self._answers: dict[Any, Callable[[Any], Answer]] = {
            **self._branches.answers,
            Open: self._open,
            Fork: self._fork,
            Close: self._close,
            Reset: self._reset,
            Step: self._step,
            Receive: self._receive,
            ReadState: self._read_states,
        }

    def answer(self, request: Any) -> Answer:
        """The reply: at once where inline calls can give it in one stretch, else by the coroutine.

        What was asked is under way when this returns, so that the calls for a lane keep their
        order; only an opening begins when it is awaited.

        Raises:
            OpenEnvError: The request as a whole cannot be carried out. What befalls one lane is
                told in the reply.
        """
        return self._answers[type(request)](request)

    def lane(self, number: int, event: str) -> Lane:
        """The lane of this number.

        Raises:
            UnknownLaneError: There is none.
        """
        if number not in self._lanes:
            raise unknown(event, number)
        return self._lanes[number]

    def cancel(self, request: int) -> None:
        """Stop what is under way of a request; its reply says so of each lane."""
        self._readiness.cancel(request)
        for task in self._under_way.get(request, ()):
            task.cancel()

    def cancel_all(self) -> None:
        """Stop whatever is under way."""
        for request in [*self._under_way]:
            self.cancel(request)

    async def _open(self, request: Open) -> Opened:
        self._seats.check(request.sessions or [], request.lanes)
        if request.sessions is None:
            return self._seated(request, await self.leases.open(request.count))
        return self._seated(request, self.leases.take_up(request.sessions), request.lanes)

    def _fork(self, request: Fork) -> Answer:
        return self._forked(request, self._branches.saved(request.snapshots))

    async def _forked(self, request: Fork, saved: list[bytes]) -> Opened:
        return self._seated(request, await self.leases.fork(saved))

    def _seated(
        self,
        request: Open | Fork,
        sessions: list[Session],
        wanted: list[int] | None = None,
    ) -> Opened:
        numbers = self._seats.seat(sessions, request.autoreset, wanted)
        self._inline.forget()
        return Opened(request.id, numbers, [session.id for session in sessions])

    def _close(self, request: Close) -> Answer:
        numbers = self.named("close", request.lanes)
        leaving = [self.lane(number, "close") for number in numbers]
        for number in numbers:
            del self._lanes[number]
        self._inline.forget()
        self._readiness.forget(numbers)
        return self._closed(Closed(request.id, numbers), leaving)

    async def _closed(self, reply: Closed, leaving: list[Lane]) -> Closed:
        await ended(map(self._end, leaving))
        return reply

    async def _end(self, lane: Lane) -> None:
        async with lane.turn:  # after what was asked before
            await self.leases.close([lane.session])

    def named(self, event: str, lanes: list[int] | None) -> list[int]:
        """The lanes that a request is for: all where it names none.

        Raises:
            InvalidMessageError: It names one twice.
            UnknownLaneError: It names more than there are, of each of which would have to be told.
        """
        if lanes is None:
            return [*self._lanes]
        if len(lanes) > len(self._lanes):
            for number in lanes:
                self.lane(number, event)
        if len({*lanes}) != len(lanes):
            raise InvalidMessageError("A lane is named once in a request")
        return lanes

    def _reset(self, request: Reset) -> Answer:
        lanes = self.named("reset", request.lanes)
        seeds = [None] * len(lanes) if request.seeds is None else request.seeds
        check_one_each(seeds, lanes, "seeds")
        moves = [_options(request.options, seed) for seed in seeds]
        return self._play("reset", request, lanes, moves)

    def _step(self, request: Step[Any]) -> Answer:
        lanes = self.named("step", request.lanes)
        check_one_each(request.actions, lanes, "actions")
        return self._play("step", request, lanes, request.actions)

    def _play(
        self, event: str, request: Step[Any] | Reset, lanes: list[int], moves: Sequence[Any]
    ) -> Answer:
        """Carry out the moves; what is told is what the request waits for."""
        if request.wait is not None:
            for number in lanes:  # of one that does not exist nobody could be told later
                self.lane(number, event)
            self._readiness.expect(lanes, request.wait)
        if not self.is_inline:
            return self._play_awaited(event, request, zip(lanes, moves, strict=True))
        outcomes: list[Outcome] = []
        calls = self._inline.calls(event, request.lanes)
        if len(lanes) <= CALLS_PER_LOOK:
            self._inline.make(calls, moves, outcomes)
            return self._played(request, lanes, outcomes)
        stretches = self._inline.play(calls, moves, outcomes)
        for _ in stretches:
            told = functools.partial(self._played, request, lanes)
            return _in_stretches(stretches, outcomes, told)
        return self._played(request, lanes, outcomes)

    def carry_out(
        self,
        event: str,
        request: Snapshot | Restore,
        moves: Sequence[Any],
        told: Callable[[list[Any]], Reply],
    ) -> Answer:
        """Make a call for each lane of a request; what came of all of them, told.

        Args:
            event: The call.
            request: Whose lanes they are.
            moves: An argument for each, or an error in its place.
            told: From what came of each lane to the reply.
        """
        if not self.is_inline:
            lanes = self.named(event, request.lanes)
            tasks = {
                number: self._begin(event, number, move)
                for number, move in zip(lanes, moves, strict=True)
            }
            self._track(request.id, tasks.values())
            return _told_of(tasks, told)
        outcomes: list[Any] = []
        calls = self._inline.calls(event, request.lanes)
        stretches = self._inline.play(calls, moves, outcomes)
        for _ in stretches:
            return _in_stretches(stretches, outcomes, told)
        return told(outcomes)

    def _played(
        self, request: Step[Any] | Reset, lanes: list[int], outcomes: list[Outcome]
    ) -> Reply:
        if request.wait is None:
            return results_of(request.id, lanes, outcomes)
        for number, outcome in zip(lanes, outcomes, strict=True):
            self._readiness.put(number, self._kept(number, outcome))
        return self._taken(request.id, request.wait)

    def _kept(self, number: int, outcome: Outcome) -> Outcome:
        """An outcome that may be told only after its lane has gone on."""
        if isinstance(outcome, OpenEnvError):
            return outcome
        try:
            return self._lanes[number].sealed(outcome)
        except Exception as error:  # noqa: BLE001  it calls what the author's types define
            return typed(error, self._mode)

    def _play_awaited(
        self, event: str, request: Step[Any] | Reset, moves: Iterable[Move]
    ) -> Answer:
        tasks = {number: self._begin(event, number, move) for number, move in moves}
        self._track(request.id, tasks.values())
        if request.wait is None:
            return self._all_of(request.id, tasks)
        for lane, task in tasks.items():
            task.add_done_callback(functools.partial(self._ready, lane))
        return self._taken(request.id, request.wait)

    def _begin(self, event: str, number: int, *move: Any) -> "asyncio.Future[Any]":
        """Set one lane going; whether there is such a lane is settled now."""
        lane = self._lanes.get(number)
        if lane is None:
            return asyncio.create_task(_told(unknown(event, number)))
        if move and isinstance(move[0], OpenEnvError):  # what could not be decoded
            return asyncio.create_task(_told(move[0]))
        return lane.begin(self._awaited, _AWAITED[event](lane), *move)

    async def _awaited(self, call: Callable[..., Any], *move: Any) -> Any:
        try:
            return await call(*move)
        except (Exception, InputRequired) as error:  # noqa: BLE001  told of that lane alone
            return typed(error, self._mode)

    def _track(self, request: int, tasks: Collection[asyncio.Future[Any]]) -> None:
        """Remember what is under way, so that it can be cancelled, until it is not any more."""
        if tasks:
            self._under_way.setdefault(request, set()).update(tasks)
        forget = functools.partial(self._forget, request)
        for task in tasks:
            task.add_done_callback(forget)

    def _forget(self, request: int, task: asyncio.Future[Any]) -> None:
        left = self._under_way[request]
        left.discard(task)
        if not left:
            del self._under_way[request]

    def _ready(self, lane: int, task: asyncio.Future[Outcome]) -> None:
        self._readiness.put(lane, _outcome_of(task))

    async def _all_of(self, request: int, tasks: dict[int, asyncio.Future[Outcome]]) -> Reply:
        return _telling(request, await _outcomes_of(tasks))

    def _receive(self, request: Receive) -> Answer:
        return self._taken(request.id, request.wait)

    def _taken(self, request: int, count: int) -> Answer:
        told = self._readiness.take(request, count)
        return _telling(request, told) if isinstance(told, list) else self._later(request, told)

    async def _later(self, request: int, told: "asyncio.Future[Told]") -> Reply:
        try:
            return _telling(request, await told)
        except asyncio.CancelledError:
            self._readiness.give_back(told)
            raise

    def _read_states(self, request: ReadState) -> Answer:
        lanes = self.named("state", request.lanes)
        tasks = {number: self._begin("state", number) for number in lanes}
        self._track(request.id, tasks.values())
        return self._states_of(request.id, tasks)

    async def _states_of(self, request: int, tasks: dict[int, asyncio.Future[Any]]) -> States:
        told = await _outcomes_of(tasks)
        errors = {lane: each for lane, each in told if isinstance(each, OpenEnvError)}
        shown = [None if lane in errors else state for lane, state in told]
        return States(request, [*tasks], shown, errors)

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while self._under_way:
            await asyncio.wait(next(iter(self._under_way.values())))


async def _in_stretches(
    stretches: Iterator[None], outcomes: list[Any], told: Callable[[list[Any]], Reply]
) -> Reply:
    """Play on, with a turn for others between two stretches."""
    await asyncio.sleep(0)
    for _ in stretches:
        await asyncio.sleep(0)
    return told(outcomes)


async def _told_of(
    tasks: dict[int, asyncio.Future[Any]], told: Callable[[list[Any]], Reply]
) -> Reply:
    return told([outcome for _, outcome in await _outcomes_of(tasks)])


async def _told(refusal: OpenEnvError) -> Outcome:
    return refusal


async def _outcomes_of(tasks: dict[int, asyncio.Future[Any]]) -> list[tuple[int, Any]]:
    for task in reversed(tasks.values()):
        if not task.done():  # which most are, once that which was begun last is
            await asyncio.wait({task})
    return [(lane, _outcome_of(task)) for lane, task in tasks.items()]


def _options(given: dict[str, Any], seed: int | None) -> dict[str, Any]:
    """The options of one lane, which shares nothing with the others that they could change."""
    own = copy.deepcopy(given) if given else {}
    return own if seed is None else {**own, "seed": seed}


def _telling(request: int, told: Told) -> Reply:
    return results_of(request, [lane for lane, _ in told], [outcome for _, outcome in told])


def _outcome_of(task: asyncio.Future[Any]) -> Any:
    if task.cancelled():
        return CallCancelledError("The client cancelled the request before this lane was ready")
    return task.result()
