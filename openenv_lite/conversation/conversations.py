"""All clients of the revisions with a handshake: who they are, and what they send."""

import asyncio
import secrets
from typing import Any

import msgspec

from openenv_lite import codec
from openenv_lite.conversation.answering import Answering
from openenv_lite.conversation.client import Client
from openenv_lite.conversation.handshake import Conversation, SessionCall
from openenv_lite.conversation.refusals import ACCEPTED, as_error, refusal
from openenv_lite.conversation.site import Site
from openenv_lite.conversation.stream import Answer, Stream
from openenv_lite.conversation.tenant import Guest, OwnTenant
from openenv_lite.errors import (
    CapacityError,
    InvalidArgumentsError,
    InvalidMessageError,
    OpenEnvError,
    UnknownSessionError,
)
from openenv_lite.mcp import messages, revisions, shapes
from openenv_lite.mcp.messages import Identity, Message
from openenv_lite.mcp.methods import method_of, params_of
from openenv_lite.mcp.params import Cancelled, Decoder, Initialize
from openenv_lite.workers import marked, whereabouts

__all__ = ["Conversations"]

LONGEST_GREETING = 64 * 1024
"""Bytes of what a client may say of itself."""

FAIR_SHARE = 64
"""Messages of a batch after which others have a turn."""

_cancelled = Decoder(Cancelled)


class Conversations:
    """Clients with a session, by its id.

    Args:
        site: The environments they act in.
        answering: Runs their calls.
    """

    def __init__(self, site: Site, answering: Answering) -> None:
        self._site = site
        self._answering = answering
        self._now = site.pool.clock.now
        self._all: dict[bytes, Conversation] = {}
        self._reaper: asyncio.Task[None] | None = None
        self._endings: set[asyncio.Task[None]] = set()

    def find(self, identity: str, principal: str | None) -> Conversation:
        """The client with this session.

        Raises:
            UnknownSessionError: There is none, it has ended, or it is another principal's.
        """
        found = self.known(identity.encode(), principal)
        if found is None:
            lost = whereabouts(identity)
            raise UnknownSessionError(f"Unknown Mcp-Session-Id: begin anew with initialize{lost}")
        return found

    def known(self, identity: bytes, principal: str | None) -> Conversation | None:
        """As `find`, or None; takes the id as a header brings it."""
        found = self._all.get(identity)
        if found is None or found.client.principal != principal or found.tenant.has_ended:
            return None
        found.last_active = self._now()
        return found

    def initialize(self, message: Message, principal: str | None, named: Guest | None) -> Answer:
        """Begin a session.

        Args:
            message: The request `initialize`.
            principal: Who asks.
            named: The environment that the URL names, if it does.

        Raises:
            CapacityError: As many clients are known as may be.
            UnknownSessionError: The environment named does not exist.
        """
        if len(self._all) >= self._site.settings.max_conversations:
            raise self._full()
        conversation = self.greet(message, principal, marked(secrets.token_urlsafe(32)))
        conversation.last_active = self._site.pool.clock.now()
        conversation.tenant = named or self._own(conversation)
        if named is not None:
            conversation.watch(named.current())
        self._all[conversation.identity.encode()] = conversation
        if self._reaper is None:
            self._reaper = asyncio.create_task(self._reap())
        body = self.welcome(message.identity, conversation)
        return Answer(body, session_id=conversation.identity)

    def _full(self) -> CapacityError:
        most = self._site.settings.max_conversations
        return CapacityError(
            f"Server at capacity: {most} MCP sessions. Try again later.", retry_after=60.0
        )

    def _own(self, conversation: Conversation) -> OwnTenant:
        principal = conversation.client.principal
        return OwnTenant(self._site.opening, principal, conversation.watch)

    def greet(
        self,
        message: Message,
        principal: str | None,
        identity: str = "",
        make_stream: Any = Stream,
    ) -> Conversation:
        """A client as its `initialize` describes it, still without an environment."""
        if len(bytes(message.params)) > LONGEST_GREETING:  # it is kept for as long as the client
            raise InvalidArgumentsError(f"initialize is longer than {LONGEST_GREETING} bytes")
        asked: Initialize = params_of("initialize", message.params)
        revision = revisions.negotiate(asked.protocol_version)
        client = Client(revision, asked.capabilities, "info", principal)
        return Conversation(identity, client, make_stream)

    def welcome(self, identity: Identity, conversation: Conversation) -> bytes:
        """The reply to `initialize`."""
        revision = conversation.client.revision
        offered = shapes.capabilities(revision)
        result = {"protocolVersion": revision.name, "capabilities": offered}
        return messages.reply(identity, {**result, "serverInfo": self._site.info})

    def take(
        self, conversation: Conversation, message: Message, in_batch: bool = False
    ) -> Answer | Stream:
        """What follows from one message of a client."""
        if message.is_request:
            return self._request(conversation, message, in_batch)
        if not message.is_notification:
            conversation.settle(message)
        elif message.method == "notifications/cancelled":
            conversation.cancel(_cancelled(message.params).request_id)
        return ACCEPTED

    def _request(
        self, conversation: Conversation, message: Message, in_batch: bool
    ) -> Answer | Stream:
        identity = message.identity
        name = str(message.method)
        try:
            method_of(name, conversation.client.revision)
            if name == "initialize":
                raise InvalidMessageError("This session has begun: initialize comes only once")
            params = params_of(name, message.params)
        except OpenEnvError as error:
            return as_error(identity, error)
        client, tenant = conversation.client, conversation.tenant
        call = SessionCall(identity, name, client, params, tenant, conversation=conversation)
        call.is_part = in_batch
        return self._answering.respond(call)

    def take_batch(self, conversation: Conversation, body: bytes | str) -> Stream:
        """What follows from an array of messages, where the revision has such a thing."""
        if not conversation.client.revision.has_batches:
            revision = conversation.client.revision.name
            raise InvalidMessageError(f"Invalid request: {revision} has no batches")
        bodies = messages.read_batch(body)
        stream = conversation.new_stream()
        return self._answering.follow(stream, self._batch(conversation, bodies, stream))

    async def _batch(
        self, conversation: Conversation, bodies: list[msgspec.Raw], stream: Stream
    ) -> Answer:
        """One after the other; their answers come together at the end."""
        answers = []
        for number, body in enumerate(bodies, 1):
            taken = self._take_one(conversation, body)
            if isinstance(taken, Stream):
                taken = await _forwarded(taken, stream)
            if taken.body is not None:
                answers.append(msgspec.Raw(taken.body))
            if number % FAIR_SHARE == 0:
                await asyncio.sleep(0)
        return Answer(codec.encode(answers)) if answers else ACCEPTED

    def _take_one(self, conversation: Conversation, body: msgspec.Raw) -> Answer | Stream:
        try:
            return self.take(conversation, messages.read(body), in_batch=True)
        except OpenEnvError as error:
            return refusal(messages.identity_of(body), error)

    def resume(
        self, conversation: Conversation, last_event: str | None
    ) -> tuple[Stream, int | None]:
        """The stream that a client comes back to, and the last message of it that it has seen.

        Without an event id it is the stream of what belongs to no call.

        Raises:
            InvalidMessageError: The id is of no stream that is still known.
        """
        if last_event is None:
            return conversation.outlet, None
        key, _, number = last_event.partition("_")
        stream = conversation.streams.get(key)
        if stream is None or not (number.isascii() and number.isdecimal()):
            raise InvalidMessageError("Unknown Last-Event-ID: its stream is over")
        return stream, int(number[:18])

    def let_go(self) -> None:
        """End the streams of those who only wait for what belongs to no call."""
        for each in self._all.values():
            each.outlet.finish(ACCEPTED)

    async def end(self, conversation: Conversation) -> None:
        """Forget a client and close its environment, even if the caller is cancelled meanwhile."""
        await asyncio.shield(self._begin_end(conversation))

    def _begin_end(self, conversation: Conversation) -> asyncio.Task[None]:
        self._all.pop(conversation.identity.encode(), None)
        self._rest()
        ending = asyncio.create_task(conversation.close())
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)
        return ending

    def _rest(self) -> None:
        """Without clients there is nothing to watch; the reaper itself ends when it sees that."""
        reaper = self._reaper
        if not self._all and reaper is not None and reaper is not asyncio.current_task():
            reaper.cancel()
            self._reaper = None

    async def _reap(self) -> None:
        """Lives while there are clients, so that no lifespan is needed to end it."""
        while self._all:
            await self._site.pool.clock.sleep(max(self._site.settings.idle_timeout_s / 4, 0.05))
            self._sweep()
        self._reaper = None

    def _sweep(self) -> None:
        """End the clients that have gone without a word."""
        now, idle_s = self._site.pool.clock.now(), self._site.settings.idle_timeout_s
        for each in [*self._all.values()]:
            if each.is_attended:
                each.last_active = now  # idle only from the end of a call, or of listening
            if each.has_ended or (not each.is_attended and now - each.last_active >= idle_s):
                self._begin_end(each)

    async def close(self) -> None:
        """End every client."""
        for each in [*self._all.values()]:
            self._begin_end(each)
        await asyncio.gather(*self._endings)


async def _forwarded(part: Stream, whole: Stream) -> Answer:
    """Send on what one call of a batch says, and give its answer; it ends with the batch."""
    try:
        async for event in part.before_answer():
            whole.put(event.body)
    finally:
        part.cancel()
    return part.answer or ACCEPTED
