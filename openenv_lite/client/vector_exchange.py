"""One side of our subprotocol without I/O: requests, whose reply is whose, what a loss means."""

import bisect
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from openenv_lite.batches import (
    Cancel,
    Close,
    Discard,
    Export,
    Fork,
    Import,
    Open,
    Opened,
    ReadState,
    Receive,
    Refused,
    Reset,
    Restore,
    Snapshot,
    Step,
)
from openenv_lite.client.exchange import NORMAL_CLOSURE
from openenv_lite.client.remote_errors import error_of
from openenv_lite.client.transport import lost
from openenv_lite.client.vector_plan import Lanes
from openenv_lite.client.vector_words import Unreadable
from openenv_lite.errors import (
    ConnectionLostError,
    OpenEnvError,
    RequestError,
    SessionAttachedError,
    SessionError,
)

__all__ = ["Handles", "Seeds", "VectorExchange"]

Handles = str | Sequence[str]

Seeds = int | Sequence[int | None] | None


class VectorExchange:
    """What a client knows of its lanes, over as many connections as it takes.

    Args:
        lanes: What to open.

    Attributes:
        num_envs: Lanes that are open, or will be.
    """

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._ids = itertools.count(1)
        self._owed: set[int] = set()
        self._replies: dict[int, Any] = {}
        self._posted: list[int] = []
        self._used = False
        self._loss: ConnectionLostError | None = None
        self._sessions: dict[int, str] = {}
        self._named: list[int] | None = None
        """The lanes as requests for all of them name them; they need not where the server has no
        others."""
        self._forks: set[int] = set()
        self._leftover: list[int] = []
        self.num_envs = lanes.num_envs

    @property
    def sessions(self) -> list[str]:
        """Ids of the lanes' sessions in the order of the lanes; empty while there are none."""
        return [self._sessions[lane] for lane in sorted(self._sessions)]

    def open(self, beginning: bool) -> Open:
        """The first request of a connection: new lanes, or those that a loss has left behind.

        Args:
            beginning: The call begins all episodes, so that none can be lost by it.

        Raises:
            ConnectionLostError: The episodes went with the connection; only a reset can follow.
        """
        if self._loss is not None and not self._sessions and not beginning:
            raise ConnectionLostError(
                f"{self._loss.message}; the episodes are lost, so call reset() to begin others",
                **self._loss.details,
            )
        autoreset = self._lanes.autoreset
        if not self._sessions:
            return Open(id=next(self._ids), count=self.num_envs, autoreset=autoreset)
        lanes = sorted(self._sessions)
        return Open(id=next(self._ids), autoreset=autoreset, sessions=self.sessions, lanes=lanes)

    @property
    def known_session(self) -> str | None:
        """A session to be taken up again, if there is one."""
        return self.sessions[0] if self._sessions else None

    def opened(self, request: Open, reply: Opened) -> None:
        """The lanes stand."""
        self._sessions = dict(zip(reply.lanes, reply.sessions, strict=True))
        self._used = request.sessions is not None
        self._loss = None

    def bereft(self, request: Open, error: OpenEnvError) -> bool:
        """Lanes cannot be had; whether it is old ones, and `open` has something to say to that."""
        is_gone = isinstance(error, SessionError) and not isinstance(error, SessionAttachedError)
        if request.sessions is None or not is_gone:
            return False
        self._sessions = {}
        return True

    def step(self, actions: Any, lanes: Sequence[int] | None) -> Step[Any]:
        """One action a lane: a list, or an array with a row for each.

        Raises:
            ValueError: There are more or fewer actions than lanes.
        """
        listed = self._one_each("actions", actions, lanes)
        named = self._named if lanes is None else _numbers(lanes)
        return Step(id=next(self._ids), actions=listed, lanes=named)

    def reset(self, seeds: Seeds, lanes: Sequence[int] | None, options: Mapping[str, Any]) -> Reset:
        """An episode in each lane; one seed counts up from the first lane on.

        Raises:
            ValueError: There are more or fewer seeds than lanes.
        """
        if isinstance(seeds, int):
            seeds = range(seeds, seeds + self._number(lanes))
        listed = None if seeds is None else self._one_each("seeds", seeds, lanes)
        named = self._named if lanes is None else _numbers(lanes)
        return Reset(id=next(self._ids), lanes=named, seeds=listed, options={**options})

    def read_state(self, lanes: Sequence[int] | None) -> ReadState:
        """The state of each lane."""
        named = self._named if lanes is None else _numbers(lanes)
        return ReadState(id=next(self._ids), lanes=named)

    def snapshot(self, lanes: Sequence[int] | None) -> Snapshot:
        """The state of each lane, to be kept."""
        named = self._named if lanes is None else _numbers(lanes)
        return Snapshot(id=next(self._ids), lanes=named)

    def restore(self, snapshots: Handles, lanes: Sequence[int] | None) -> Restore:
        """A state for each lane: one handle for all, or a list of one each.

        Raises:
            ValueError: There are more or fewer handles than lanes.
        """
        listed = (
            [snapshots]
            if isinstance(snapshots, str)
            else self._one_each("snapshots", snapshots, lanes)
        )
        named = self._named if lanes is None else _numbers(lanes)
        return Restore(id=next(self._ids), snapshots=listed, lanes=named)

    def fork(self, snapshots: Handles) -> Fork:
        """A lane more for each handle."""
        return Fork(
            id=next(self._ids), snapshots=_listed(snapshots), autoreset=self._lanes.autoreset
        )

    def forked(self, reply: Opened) -> list[int]:
        """The lanes that came of it stand; their numbers."""
        self._forks.discard(reply.id or 0)
        self._sessions |= zip(reply.lanes, reply.sessions, strict=True)
        self._count()
        return reply.lanes

    def close_lanes(self, lanes: Sequence[int]) -> Close:
        """Some lanes, which are none from now on: a close that is called off still closes.

        Raises:
            ValueError: One of them is no lane, or none would be left.
        """
        leaving = {int(lane) for lane in lanes}
        if not leaving <= self._sessions.keys():
            raise ValueError(f"There is no lane {min(leaving - self._sessions.keys())}")
        if len(leaving) == len(self._sessions):
            raise ValueError("No lane would be left: call close()")
        for lane in leaving:
            del self._sessions[lane]
        self._count()
        return Close(id=next(self._ids), lanes=sorted(leaving))

    def _count(self) -> None:
        self.num_envs = len(self._sessions)
        if self._named is not None:
            self._named = sorted(self._sessions)

    def leftover(self) -> Close | None:
        """What to send to be rid of lanes that came of forks nobody waited for any more."""
        lanes, self._leftover = self._leftover, []
        return Close(id=next(self._ids), lanes=lanes) if lanes else None

    def export(self, snapshots: Handles) -> Export:
        """Snapshots as bytes."""
        return Export(id=next(self._ids), snapshots=_listed(snapshots))

    def import_(self, data: Sequence[bytes]) -> Import:
        """Bytes as snapshots."""
        return Import(id=next(self._ids), data=[*data])

    def discard(self, snapshots: Handles) -> Discard:
        """No snapshots any more."""
        return Discard(id=next(self._ids), snapshots=_listed(snapshots))

    def close(self) -> Close:
        """All lanes."""
        return Close(id=next(self._ids))

    def _one_each(self, what: str, given: Any, lanes: Sequence[int] | None) -> list[Any]:
        if isinstance(given, Mapping):
            raise TypeError(f"{what}: give a list with one for each lane, not one alone")
        tolist = getattr(given, "tolist", None)
        listed = [*given] if tolist is None else tolist()
        count = self._number(lanes)
        if len(listed) != count:
            raise ValueError(f"{len(listed)} {what} for {count} lanes: give one for each")
        return listed

    def _number(self, lanes: Sequence[int] | None) -> int:
        return self.num_envs if lanes is None else len(lanes)

    def sent(self, request: Any) -> None:
        """A request goes out; call it before the first byte does, for a send may be cut short."""
        self._owed.add(request.id)
        if type(request) is Fork:
            self._forks.add(request.id)
        if not self._used:
            self._used = not isinstance(request, Open)

    def post(self, request: Step[Any] | Reset | Receive) -> None:
        """A request goes out whose reply is `next_posted`'s to name."""
        request.wait = self._lanes.batch_size
        self.sent(request)
        self._posted.append(request.id)

    def receive(self) -> Receive | None:
        """What must be sent before a reply to something posted can come; None for nothing.

        Raises:
            RequestError: None can come.
        """
        if self._posted:
            return None
        if self._lanes.batch_size is None:
            raise RequestError("There is nothing to receive: call send() before recv()")
        return Receive(id=next(self._ids), wait=self._lanes.batch_size)

    def unpost(self, request: int) -> None:
        """It could not be sent."""
        self._posted.remove(request)
        self._owed.discard(request)

    def next_posted(self) -> int:
        """Of what was posted, the earliest whose reply was not taken."""
        return self._posted.pop(0)

    def put_back(self, request: int) -> None:
        """Whoever waited for it has given up; its reply is the next one's to take."""
        bisect.insort(self._posted, request)

    def told(self, reply: Any) -> None:
        """A reply has come; one that nobody waits for any more is dropped.

        One that cannot tell whose it is concerns all who wait.
        """
        if reply.id in self._owed:
            self._replies[reply.id] = reply
        elif reply.id is None:
            self._tell_all(reply)
        elif reply.id in self._forks and isinstance(reply, Opened):
            self._leftover += reply.lanes

    def _tell_all(self, reply: Any) -> None:
        for request in self._owed:
            self._replies.setdefault(request, reply)

    def has(self, request: int) -> bool:
        """Whether the reply to a request is there."""
        return request in self._replies

    def result(self, request: int) -> Any:
        """The reply to a request, taken.

        Raises:
            OpenEnvError: What came in its place.
        """
        self._owed.discard(request)
        reply = self._replies.pop(request)
        kind = type(reply)  # for a Struct `isinstance` takes several times as long
        if kind is Refused:
            self._forks.discard(request)
            raise error_of(reply.data)
        if kind is Unreadable:
            raise reply.error
        return reply

    def give_up(self, request: int) -> Cancel | None:
        """Nobody waits for the reply any more: what to send, if it has not come yet."""
        self._owed.discard(request)
        reply = self._replies.pop(request, None)
        if request in self._forks:
            self._named = sorted(self._sessions)  # there may be lanes of which we do not know
            self._leftover += reply.lanes if isinstance(reply, Opened) else ()
        return None if reply else Cancel(id=request)

    @property
    def is_owed(self) -> bool:
        """Whether a reply is still to come."""
        return not self._owed <= self._replies.keys()

    def broken(self, loss: ConnectionLostError) -> None:
        """The connection is gone, against this side's will; what has come by then stays."""
        self._tell_all(Unreadable(None, loss))
        self._forget_lost()
        self._forget_forks()
        if self._used:
            self._loss = loss
        if not self._used or loss.details.get("close_code") == NORMAL_CLOSURE:
            self._sessions = {}

    def _forget_forks(self) -> None:
        """Another connection has the lanes that we know, and no others."""
        self._named = None
        self._forks.clear()
        self._leftover.clear()

    def _forget_lost(self) -> None:
        """Of all that was posted and lost, one reply tells so."""
        lost = [each for each in self._posted if isinstance(self._replies.get(each), Unreadable)]
        for each in lost[1:]:
            self._posted.remove(each)
            self.give_up(each)

    def ended(self) -> None:
        """Closed by this side: who still waits is told, and whatever follows begins anew."""
        self._tell_all(Unreadable(None, lost(NORMAL_CLOSURE, "closed by this client")))
        while self._posted:
            self.give_up(self._posted.pop())
        self._forget_forks()
        self._sessions = {}
        self._loss = None
        self.num_envs = self._lanes.num_envs


def _numbers(lanes: Sequence[int] | None) -> list[int] | None:
    return None if lanes is None else [int(lane) for lane in lanes]


def _listed(snapshots: Handles) -> list[str]:
    return [snapshots] if isinstance(snapshots, str) else [*snapshots]
