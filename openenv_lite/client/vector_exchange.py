"""One side of our subprotocol without I/O: requests, whose reply is whose, what a loss means."""

import bisect
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from openenv_lite.batches import (
    Cancel,
    Close,
    Open,
    Opened,
    ReadState,
    Receive,
    Refused,
    Reset,
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

__all__ = ["Seeds", "VectorExchange"]

Seeds = int | Sequence[int | None] | None


class VectorExchange:
    """What a client knows of its lanes, over as many connections as it takes.

    Args:
        lanes: What to open.

    Attributes:
        sessions: Ids of the lanes' sessions; empty while there are none.
    """

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._ids = itertools.count(1)
        self._owed: set[int] = set()
        self._replies: dict[int, Any] = {}
        self._posted: list[int] = []
        self._used = False
        self._loss: ConnectionLostError | None = None
        self.sessions: list[str] = []

    def open(self, beginning: bool) -> Open:
        """The first request of a connection: new lanes, or those that a loss has left behind.

        Args:
            beginning: The call begins all episodes, so that none can be lost by it.

        Raises:
            ConnectionLostError: The episodes went with the connection; only a reset can follow.
        """
        if self._loss is not None and not self.sessions and not beginning:
            raise ConnectionLostError(
                f"{self._loss.message}; the episodes are lost, so call reset() to begin others",
                **self._loss.details,
            )
        count, autoreset = self._lanes.num_envs, self._lanes.autoreset
        sessions = [*self.sessions] or None
        return Open(id=next(self._ids), count=count, autoreset=autoreset, sessions=sessions)

    @property
    def known_session(self) -> str | None:
        """A session to be taken up again, if there is one."""
        return self.sessions[0] if self.sessions else None

    def opened(self, request: Open, reply: Opened) -> None:
        """The lanes stand."""
        self.sessions = reply.sessions
        self._used = request.sessions is not None
        self._loss = None

    def bereft(self, request: Open, error: OpenEnvError) -> bool:
        """Lanes cannot be had; whether it is old ones, and `open` has something to say to that."""
        is_gone = isinstance(error, SessionError) and not isinstance(error, SessionAttachedError)
        if request.sessions is None or not is_gone:
            return False
        self.sessions = []
        return True

    def step(self, actions: Any, lanes: Sequence[int] | None) -> Step[Any]:
        """One action a lane: a list, or an array with a row for each.

        Raises:
            ValueError: There are more or fewer actions than lanes.
        """
        listed = self._one_each("actions", actions, lanes)
        return Step(id=next(self._ids), actions=listed, lanes=_numbers(lanes))

    def reset(self, seeds: Seeds, lanes: Sequence[int] | None, options: Mapping[str, Any]) -> Reset:
        """An episode in each lane; one seed counts up from the first lane on.

        Raises:
            ValueError: There are more or fewer seeds than lanes.
        """
        if isinstance(seeds, int):
            seeds = range(seeds, seeds + self._count(lanes))
        listed = None if seeds is None else self._one_each("seeds", seeds, lanes)
        return Reset(id=next(self._ids), lanes=_numbers(lanes), seeds=listed, options={**options})

    def read_state(self, lanes: Sequence[int] | None) -> ReadState:
        """The state of each lane."""
        return ReadState(id=next(self._ids), lanes=_numbers(lanes))

    def close(self) -> Close:
        """All lanes."""
        return Close(id=next(self._ids))

    def _one_each(self, what: str, given: Any, lanes: Sequence[int] | None) -> list[Any]:
        tolist = getattr(given, "tolist", None)
        listed = [*given] if tolist is None else tolist()
        count = self._count(lanes)
        if len(listed) != count:
            raise ValueError(f"{len(listed)} {what} for {count} lanes: give one for each")
        return listed

    def _count(self, lanes: Sequence[int] | None) -> int:
        return self._lanes.num_envs if lanes is None else len(lanes)

    def sent(self, request: Any) -> None:
        """A request goes out; call it before the first byte does, for a send may be cut short."""
        self._owed.add(request.id)
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
            raise error_of(reply.data)
        if kind is Unreadable:
            raise reply.error
        return reply

    def give_up(self, request: int) -> Cancel | None:
        """Nobody waits for the reply any more: what to send, if it has not come yet."""
        self._owed.discard(request)
        return None if self._replies.pop(request, None) else Cancel(id=request)

    @property
    def is_owed(self) -> bool:
        """Whether a reply is still to come."""
        return not self._owed <= self._replies.keys()

    def broken(self, loss: ConnectionLostError) -> None:
        """The connection is gone, against this side's will; what has come by then stays."""
        self._tell_all(Unreadable(None, loss))
        self._forget_lost()
        if self._used:
            self._loss = loss
        if not self._used or loss.details.get("close_code") == NORMAL_CLOSURE:
            self.sessions = []

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
        self.sessions = []
        self._loss = None


def _numbers(lanes: Sequence[int] | None) -> list[int] | None:
    return None if lanes is None else [int(lane) for lane in lanes]
