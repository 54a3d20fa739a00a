"""MCP over any transport: a client's bytes to an answer, or to a stream that ends with one."""

import msgspec

from openenv_lite.conversation.answering import Answering
from openenv_lite.conversation.call import Call, StatelessCall
from openenv_lite.conversation.conversations import Conversations
from openenv_lite.conversation.dialect import Caller, OpenEnvDialect
from openenv_lite.conversation.handshake import Conversation, SessionCall
from openenv_lite.conversation.refusals import ACCEPTED, refusal
from openenv_lite.conversation.site import Site
from openenv_lite.conversation.stateless import names_revision, plain_call, read_call, remember
from openenv_lite.conversation.stream import Answer, Stream
from openenv_lite.conversation.tenant import Guest
from openenv_lite.errors import InvalidMessageError, OpenEnvError
from openenv_lite.mcp import messages, revisions
from openenv_lite.mcp.headers import SESSION, VERSION, Headers, trimmed
from openenv_lite.mcp.messages import Message
from openenv_lite.mcp.params import Retry
from openenv_lite.mcp.revisions import HANDSHAKE

__all__ = ["Inbound", "Service"]

_STAYS = "openenv"
"""Key of the streams of OpenEnv's dialect, where a client that leaves does not end its call."""

_HANDSHAKE = {each.name for each in HANDSHAKE}
_HANDSHAKE_AS_SENT = {name.encode() for name in _HANDSHAKE}


class Inbound(msgspec.Struct, frozen=True):
    """A message that came by itself, as over HTTP."""

    body: bytes
    headers: Headers = {}
    principal: str | None = None
    session_id: str | None = None
    """The session that the URL names, if it does."""


class Service:
    """Answers MCP clients of every revision, and OpenEnv's.

    Args:
        site: The environments behind it.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.answering = Answering(site)
        self.conversations = Conversations(site, self.answering)
        self.dialect = OpenEnvDialect(site.pool, site.mode)

    def receive(self, inbound: Inbound) -> Answer | Stream:
        """The answer to a message, whose revision the headers tell, or else the body."""
        try:
            call = self._plain_call(inbound)
            if call is not None:
                return self.answering.respond(call)
            version = trimmed(inbound.headers, VERSION)
            if version in _HANDSHAKE or (version is None and SESSION in inbound.headers):
                return self._with_handshake(inbound)
            if version is None:
                return self._without_version(inbound)
            message = messages.read(inbound.body)
            if not message.is_request:
                revisions.supported(version)
            return self._stateless(inbound, message)
        except OpenEnvError as error:
            return refusal(messages.identity_of(inbound.body), error)

    def _plain_call(self, inbound: Inbound) -> Call | None:
        """A tool call in which all is as usual; else None, and the long way tells what is not."""
        try:
            found = messages.decode_tool_call(inbound.body)
        except (ValueError, RecursionError):
            return None
        headers, principal = inbound.headers, inbound.principal
        if headers.get(VERSION) not in _HANDSHAKE_AS_SENT:
            named = inbound.session_id is not None
            return None if named else plain_call(found, headers, principal, self.site)
        conversation = self.conversations.known(headers.get(SESSION, b""), principal)
        if conversation is None:
            return None
        client, tenant = conversation.client, conversation.tenant
        return SessionCall(
            found.id, found.method, client, found.params, tenant, conversation=conversation
        )

    def _without_version(self, inbound: Inbound) -> Answer | Stream:
        try:
            message = messages.read(inbound.body)
        except OpenEnvError:
            return self._in_dialect(inbound)
        if message.method == "initialize":
            return self._initialize(inbound, message)
        return (
            self._stateless(inbound, message)
            if names_revision(message)
            else self._in_dialect(inbound)
        )

    def _in_dialect(self, inbound: Inbound) -> Stream:
        answer = self.dialect.answer_bytes(inbound.body, Caller(None, inbound.principal))
        return self.answering.follow(Stream(_STAYS), answer)

    def _with_handshake(self, inbound: Inbound) -> Answer | Stream:
        conversation = self._conversation(inbound)
        if conversation is not None and messages.is_batch(inbound.body):
            return self.conversations.take_batch(conversation, inbound.body)
        message = messages.read(inbound.body)
        if conversation is not None:
            return self.conversations.take(conversation, message)
        return self._initialize(inbound, message)

    def _conversation(self, inbound: Inbound) -> Conversation | None:
        identity = trimmed(inbound.headers, SESSION)
        return (identity and self.conversations.find(identity, inbound.principal)) or None

    def _initialize(self, inbound: Inbound, message: Message) -> Answer:
        if message.method != "initialize" or not message.is_request:
            raise InvalidMessageError("Missing Mcp-Session-Id: begin with initialize")
        named = self._named(inbound)
        return self.conversations.initialize(message, inbound.principal, named)

    def _named(self, inbound: Inbound) -> Guest | None:
        if inbound.session_id is None:
            return None
        return Guest(self.site.pool, self.site.mode, inbound.session_id, inbound.principal)

    def _stateless(self, inbound: Inbound, message: Message) -> Answer | Stream:
        if message.is_notification:
            return ACCEPTED
        if not message.is_request:
            raise InvalidMessageError("Invalid request: 2026-07-28 takes no responses")
        tenant = self._named(inbound) or self.site.common(inbound.principal)
        return self.respond(read_call(message, inbound.headers, inbound.principal, tenant))

    def respond(self, call: StatelessCall) -> Answer | Stream:
        """Answer a request of 2026-07-28.

        Raises:
            SealBrokenError, InvalidArgumentsError: What it was asked before is not what it says.
        """
        if isinstance(call.params, Retry):
            remember(self.site, call)
        return self.answering.respond(call)

    def let_go(self) -> None:
        """End the streams that would never end by themselves; calls under way go on."""
        self.site.listeners.let_go()
        self.conversations.let_go()

    async def close(self) -> None:
        """Stop every call and end every client."""
        try:
            await self.answering.close()
        finally:  # even if a call does not end, and whoever closes has waited long enough
            await self.conversations.close()
