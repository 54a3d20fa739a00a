"""Many episodes at once, each in a lane, for a trainer that hands over whole batches."""

import contextlib
import functools
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from openenv_lite import codec
from openenv_lite.client.sync_vector_client import SyncVectorEnvClient
from openenv_lite.client.translation import TypeArguments
from openenv_lite.client.vector_plan import Lanes, VectorPlan
from openenv_lite.client.vector_result import VectorResult
from openenv_lite.client.vector_words import VectorWords
from openenv_lite.errors import OpenEnvError, TransportError, UnknownSessionError
from openenv_lite.trainers.ending import end_with
from openenv_lite.trainers.outcome import TOLD, Outcome, failure, outcome_of_result
from openenv_lite.trainers.rows import seed_and_others

__all__ = ["Ticket", "TrainerLanes"]

Client = SyncVectorEnvClient[Any, Any, Any]

Ticket = str
"""Names an episode, and no other after it in the same lane."""


class _Seat(NamedTuple):
    """Where an episode is played: a lane of one of the connections."""

    client: Client
    lane: int


class _Playing(msgspec.Struct):
    """An episode under way, and when it was last heard of."""

    seat: _Seat
    heard_s: float


class _Sent(NamedTuple):
    """A message to some lanes: seeds or actions, and what all are told."""

    client: Client
    words: list[Any]
    lanes: list[int]
    shared: dict[str, Any]


class TrainerLanes:
    """Episodes that are begun, played and ended batch by batch; for one thread at a time.

    Those begun together share a connection, so that a batch of them is one message, and their
    sessions end with the last of them. One that is not heard of for `idle_s` counts as ended: some
    trainers stop in the midst of an episode and tell nobody. All end when this is collected.

    Args:
        plan: Where, and how to connect; how many lanes does not matter.
        idle_s: Seconds.
        clock: Seconds of a clock that never goes back.
    """

    def __init__(
        self, plan: VectorPlan, idle_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._plan = plan
        self._idle_s = idle_s
        self._clock = clock
        self._playing: dict[Ticket, _Playing] = {}
        self._clients: set[Client] = set()
        end_with(self, functools.partial(_close_all, self._clients))

    def __contains__(self, ticket: Ticket) -> bool:
        """Whether the episode is under way."""
        return ticket in self._playing

    def begin(self, options: Sequence[Mapping[str, Any]]) -> list[Ticket]:
        """Begin an episode for each of the options, as `reset` takes them.

        Raises:
            OpenEnvError: Not all can begin, so there is none.
        """
        self._end_idle()
        if not options:
            return []
        client = self._connected(len(options))
        try:
            for answer in self._ask(_resets(client, options), Client.send_reset):
                answer.raise_errors()
        except OpenEnvError:
            self._forget(client)
            raise
        now = self._clock()
        playing = [_Playing(_Seat(client, lane), now) for lane in range(len(options))]
        tickets = [uuid.uuid4().hex for _ in playing]
        self._playing.update(zip(tickets, playing, strict=True))
        return tickets

    def act(self, actions: Mapping[Ticket, Any]) -> dict[Ticket, Outcome]:
        """Carry out an action in each of some episodes; what the model did wrong it is told.

        Raises:
            OpenEnvError: An episode was lost, or is none, or something else that is not the
                model's to mend; the other episodes have taken their step all the same.
        """
        tickets = {self._seat(ticket): ticket for ticket in actions}
        messages: dict[Client, _Sent] = {}
        for seat, ticket in tickets.items():
            message = messages.setdefault(seat.client, _Sent(seat.client, [], [], {}))
            message.words.append(actions[ticket])
            message.lanes.append(seat.lane)
        outcomes: dict[Ticket, Outcome] = {}
        for client, answer in zip(messages, self._ask(messages.values(), Client.send), strict=True):
            for place, lane in enumerate(answer.lanes):
                outcomes[tickets[_Seat(client, lane)]] = _outcome(answer, place)
        return outcomes

    def end(self, tickets: Iterable[Ticket]) -> None:
        """Nobody plays these any more; those that have ended already are no error."""
        for ticket in tickets:
            self._playing.pop(ticket, None)
        for client in self._clients - {each.seat.client for each in self._playing.values()}:
            self._forget(client)

    def close(self) -> None:
        """End all."""
        self.end([*self._playing])

    def _end_idle(self) -> None:
        late = self._clock() - self._idle_s
        self.end([ticket for ticket, each in self._playing.items() if each.heard_s <= late])

    def _connected(self, lanes: int) -> Client:
        plan = self._plan._replace(lanes=Lanes(lanes, None, self._plan.lanes.autoreset))
        client = Client(plan, VectorWords(plan.form, TypeArguments())).__enter__()
        self._clients.add(client)
        return client

    def _seat(self, ticket: Ticket) -> _Seat:
        if ticket not in self._playing:
            raise UnknownSessionError(
                "An episode is not known here: it has ended, was idle for too long, or began in "
                "another process, which alone can go on with it"
            )
        self._playing[ticket].heard_s = self._clock()
        return self._playing[ticket].seat

    def _ask(self, messages: Iterable[_Sent], send: Any) -> list[VectorResult[Any]]:
        """Send them all, then receive all answers, so that servers work side by side.

        Raises:
            OpenEnvError: The first of what came in place of an answer.
        """
        sent = [(each.client, self._tried(send, *each[:3], **each.shared)) for each in messages]
        answers = [
            self._tried(Client.recv, client) if failed is None else failed
            for client, failed in sent
        ]
        for answer in answers:
            if isinstance(answer, OpenEnvError):
                raise answer
        return answers

    def _tried(self, call: Callable[..., Any], client: Client, *words: Any, **more: Any) -> Any:
        """What it gave or raised; a connection that is lost is of no use, nor are its lanes."""
        try:
            return call(client, *words, **more)
        except TransportError as error:
            self._forget(client)
            return error
        except OpenEnvError as error:
            return error

    def _forget(self, client: Client) -> None:
        """Close a connection, and with it the sessions of all that were played over it."""
        self._clients.discard(client)
        for ticket in [t for t, each in self._playing.items() if each.seat.client is client]:
            del self._playing[ticket]
        with contextlib.suppress(OpenEnvError):
            client.close()


def _close_all(clients: Iterable[Client]) -> None:
    for client in [*clients]:
        with contextlib.suppress(OpenEnvError):
            client.close()


def _resets(client: Client, options: Sequence[Mapping[str, Any]]) -> list[_Sent]:
    """One message for all lanes that are told the same but for their seeds."""
    groups: dict[bytes, _Sent] = {}
    for lane, row in enumerate(options):
        seed, shared = seed_and_others(row)
        group = groups.setdefault(codec.encode(shared), _Sent(client, [], [], shared))
        group.words.append(seed)
        group.lanes.append(lane)
    return [*groups.values()]


def _outcome(answer: VectorResult[Any], place: int) -> Outcome:
    try:
        return outcome_of_result(answer[place])
    except TOLD as error:
        return failure(error)
