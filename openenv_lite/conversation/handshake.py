"""A client of the revisions that begin with `initialize`: what a server remembers of it."""

import asyncio
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from openenv_lite import codec
from openenv_lite.context import Question
from openenv_lite.conversation.call import Call
from openenv_lite.conversation.client import Client
from openenv_lite.conversation.listening import notification_of
from openenv_lite.conversation.stream import Stream
from openenv_lite.conversation.tenant import OwnTenant, Tenant
from openenv_lite.errors import InvalidAnswerError, InvalidJSONError, SessionClosedError
from openenv_lite.life import CLOSED_CHANGE, Change
from openenv_lite.mcp import messages
from openenv_lite.mcp.messages import Identity, Message
from openenv_lite.session import Session

__all__ = ["Conversation", "SessionCall"]

MOST_STREAMS = 8
"""Streams that a client may come back to; of those that ended, the oldest are forgotten."""


class Conversation:
    """One client from `initialize` to its end.

    Args:
        identity: Its `Mcp-Session-Id`; empty where the connection itself is the session.
        client: What `initialize` told.
        make_stream: Makes what carries the messages of a request.

    Attributes:
        outlet: Where messages go that belong to no request.
        tenant: The environment it acts in.
        last_active: When it last sent something.
    """

    tenant: Tenant

    def __init__(
        self, identity: str, client: Client, make_stream: Callable[[str], Stream] = Stream
    ) -> None:
        self.identity = identity
        self.client = client
        self.outlet = make_stream("0")
        self._make_stream = make_stream
        self.last_active = 0.0
        self.subscriptions: set[str] = set()
        self.streams: dict[str, Stream] = {self.outlet.key: self.outlet}
        self._calls: dict[Identity, Stream] = {}
        self._asked: dict[Identity, asyncio.Future[Any]] = {}
        self._numbers = itertools.count(1)
        self._session: Session | None = None

    @property
    def has_ended(self) -> bool:
        """Whether its environment is gone."""
        return self.tenant.has_ended

    @property
    def is_attended(self) -> bool:
        """Whether the client is connected."""
        return any(each.is_read and each.is_under_way for each in self.streams.values())

    @property
    def under_way(self) -> list[Identity]:
        """The requests that are being answered."""
        return [key for key, stream in self._calls.items() if stream.is_under_way]

    def new_stream(self) -> Stream:
        """A stream that the client may leave and come back to."""
        stream = self._make_stream(str(next(self._numbers)))
        stream.primes = self.client.revision.primes_streams
        self.streams[stream.key] = stream
        ended = [key for key, each in self.streams.items() if not each.is_under_way]
        for key in ended[: max(0, len(self.streams) - MOST_STREAMS)]:
            del self.streams[key]
        return stream

    def begin(self, identity: Identity, stream: Stream) -> None:
        """Remember a request under way, so that it can be cancelled."""
        self._calls = {key: self._calls[key] for key in self.under_way}
        self._calls[identity] = stream

    def cancel(self, identity: Identity) -> None:
        """Stop a request of the client's; one that is over is left as it is."""
        stream = self._calls.get(identity)
        if stream is not None:
            stream.cancel()

    async def ask(self, outlet: Stream, questions: Mapping[str, Question]) -> dict[str, Any]:
        """Send requests to the client and wait for all answers.

        Raises:
            InvalidAnswerError: The client answered one with an error.
            SessionClosedError: It left.
        """
        asked = {key: self._send(outlet, each) for key, each in questions.items()}
        try:
            return {key: await self._asked[identity] for key, identity in asked.items()}
        finally:
            for identity in asked.values():
                self._asked.pop(identity).cancel()

    def _send(self, outlet: Stream, question: Question) -> Identity:
        identity = f"ask-{next(self._numbers)}"
        self._asked[identity] = asyncio.get_running_loop().create_future()
        outlet.put(messages.message(question.method, question.params(), identity))
        return identity

    def settle(self, message: Message) -> None:
        """Take in the answer to something asked; answers to nothing are ignored."""
        answer = self._asked.get(message.id) if isinstance(message.id, int | str) else None
        if answer is None or answer.done():
            return
        if isinstance(message.result, msgspec.Raw):
            self._settle(answer, message.result)
        else:
            answer.set_exception(InvalidAnswerError("The client answered with an error"))

    def _settle(self, answer: "asyncio.Future[Any]", result: msgspec.Raw) -> None:
        try:
            answer.set_result(codec.parse(bytes(result)))
        except InvalidJSONError:
            answer.set_exception(InvalidAnswerError("The client's answer cannot be read"))

    def watch(self, session: Session) -> None:
        """Pass on what changes in the environment."""
        self._session = session
        session.watchers.add(self._tell)

    def _tell(self, change: Change) -> None:
        is_followed = change.uri is None or change.uri in self.subscriptions
        if is_followed and change is not CLOSED_CHANGE:
            self.outlet.put(messages.message(*notification_of(change)))

    async def close(self) -> None:
        """End what is under way, and the environment if it was the client's own."""
        if self._session is not None:
            self._session.watchers.discard(self._tell)
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(SessionClosedError("The client left"))
        streams = [*self.streams.values()]
        for stream in streams:
            stream.cancel()
        for stream in streams:
            await stream.ended()
        if isinstance(self.tenant, OwnTenant):
            await self.tenant.close()


class SessionCall(Call, eq=False, kw_only=True):
    """A request within a conversation: it asks the client and waits.

    Attributes:
        is_part: It came in a batch, whose stream carries its messages too.
    """

    conversation: Conversation
    is_part: bool = False
    _left_early: bool = False

    def open(self) -> Stream:
        """A stream that the client may come back to, and a call that it may cancel."""
        self.outlet = stream = Stream() if self.is_part else self.conversation.new_stream()
        if self._left_early:
            stream.leave()
        self.conversation.begin(self.identity, stream)
        return stream

    async def ask(self, questions: Mapping[str, Question]) -> Mapping[str, Any]:
        """Raw answers by key, asked side by side.

        Raises:
            CapabilityError: The client cannot give one.
            InvalidAnswerError, SessionClosedError: It did not.
        """
        self._require(questions)
        return await self.conversation.ask(self.outlet or self.conversation.outlet, questions)

    def leave(self) -> None:
        """Let the client go until it comes back for the rest."""
        if self.outlet is not None:
            self.outlet.leave()
        self._left_early = True
