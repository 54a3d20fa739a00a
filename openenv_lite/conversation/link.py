"""One connection that carries all messages of one client: a WebSocket, or a process's pipes."""

import asyncio
import collections
import functools
from collections.abc import Awaitable, Callable

from openenv_lite.conversation.call import StatelessCall
from openenv_lite.conversation.dialect import Caller
from openenv_lite.conversation.handshake import Conversation
from openenv_lite.conversation.refusals import ACCEPTED, refusal
from openenv_lite.conversation.service import Service
from openenv_lite.conversation.stateless import names_revision, read_call
from openenv_lite.conversation.stream import Answer, Stream
from openenv_lite.conversation.tenant import Tenant
from openenv_lite.errors import InvalidMessageError, OpenEnvError
from openenv_lite.mcp import messages
from openenv_lite.mcp.messages import Identity, Message
from openenv_lite.mcp.params import Cancelled, Decoder

__all__ = ["Link"]

MOST_UNDER_WAY = 64
"""Requests of one connection that may be under way at once."""

MOST_UNSENT = 1000
"""Messages that wait for a client that does not read; notifications beyond are lost."""

LAST_WORDS_S = 1.0
"""How long a client that leaves may take to read what was still for it."""

_cancelled = Decoder(Cancelled)

Write = Callable[[bytes], Awaitable[None]]


class _Pipe(Stream):
    """A stream that is read as it comes, by the connection."""

    def __init__(self, outbox: "_Outbox", key: str = "") -> None:
        super().__init__(key)
        self._outbox = outbox

    def put(self, body: bytes) -> None:
        """Send a message, unless the answer is sent or the client does not read."""
        if self.answer is None:
            self._outbox.put(body)

    def finish(self, answer: Answer) -> None:
        """Send the answer."""
        if self.answer is None and answer.body is not None:
            self._outbox.put(answer.body, is_answer=True)
        super().finish(Answer(None, answer.status))


class _Outbox:
    """Messages on their way out, in order."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._waiting: collections.deque[bytes] = collections.deque()
        self._news = asyncio.Event()
        self._is_empty = asyncio.Event()
        self._writer = asyncio.create_task(self._run())

    def put(self, body: bytes, is_answer: bool = False) -> None:
        if is_answer or len(self._waiting) < MOST_UNSENT:
            self._waiting.append(body)
            self._news.set()

    async def _run(self) -> None:
        while True:
            await self._news.wait()
            self._is_empty.clear()
            while self._waiting:
                await self._write(self._waiting[0])
                self._waiting.popleft()
            self._news.clear()
            self._is_empty.set()

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= MOST_UNSENT

    async def flush(self, seconds: float | None = None) -> None:
        """Wait until everything is written, or nothing more can be, or the time is over."""
        if self._waiting:
            emptied = asyncio.create_task(self._is_empty.wait())
            await asyncio.wait(
                {emptied, self._writer}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            emptied.cancel()

    async def close(self) -> None:
        self._writer.cancel()
        await asyncio.wait({self._writer})
        if not self._writer.cancelled():
            self._writer.exception()  # the peer has gone: its connection has told already


class Link:
    """Answers a client whose every message comes over the same connection.

    The first message settles what it speaks: `initialize` a revision with a handshake, `_meta` with
    a revision 2026-07-28, anything else OpenEnv's dialect.

    Args:
        service: Answers.
        tenant: The environment the client acts in.
        caller: Who it is, for OpenEnv's dialect.
        write: Sends one message.
    """

    def __init__(self, service: Service, tenant: Tenant, caller: Caller, write: Write) -> None:
        self._service = service
        self._tenant = tenant
        self._caller = caller
        self._outbox = _Outbox(write)
        self._conversation: Conversation | None = None
        self._under_way: dict[Identity, Stream] = {}
        self._speaks_mcp = False

    def receive(self, body: str | bytes) -> Awaitable[Answer] | None:
        """Take in one message; where something is returned, await it before the next.

        MCP's answers go out by themselves; OpenEnv's are the bodies of what is awaited.
        """
        try:
            taken = self._take(body)
        except OpenEnvError as error:
            if not self._speaks_mcp:
                return self._service.dialect.answer_bytes(body, self._caller)
            taken = refusal(messages.identity_of(body), error)
        if isinstance(taken, Answer) and taken.body is not None:
            self._outbox.put(taken.body, is_answer=True)
        if not isinstance(taken, Answer | Stream):
            return taken
        return self._wait_for_reader() if self._outbox.is_full else None

    async def _wait_for_reader(self) -> Answer:
        """Whoever awaits this reads no further from a client that does not read either."""
        await self._outbox.flush()
        return ACCEPTED

    def _take(self, body: str | bytes) -> Answer | Stream | Awaitable[Answer]:
        conversation = self._conversation
        if conversation is not None and messages.is_batch(body):
            return self._service.conversations.take_batch(conversation, body)
        message = messages.read(body)
        if message.is_request:
            self._refuse_excess(message.identity)
        elif message.method == "notifications/cancelled" and self._cancel(message):
            return ACCEPTED
        if message.is_request and names_revision(message):
            return self._stateless(message)
        if message.method == "initialize" and message.is_request and conversation is None:
            return self._initialize(message)
        if conversation is not None:
            return self._service.conversations.take(conversation, message)
        if not self._speaks_mcp:
            return self._service.dialect.answer_bytes(body, self._caller)
        return self._without_session(message)

    def _refuse_excess(self, identity: Identity) -> None:
        """Every request under way needs an id of its own, and there are only so many."""
        self._under_way = {k: each for k, each in self._under_way.items() if each.is_under_way}
        under_way = {*self._under_way}
        if self._conversation is not None:
            under_way.update(self._conversation.under_way)
        if identity in under_way:
            raise InvalidMessageError(f"The id {identity!r} is in use: wait for its answer")
        if len(under_way) >= MOST_UNDER_WAY:
            raise InvalidMessageError(f"More than {MOST_UNDER_WAY} requests at once: wait for some")

    def _cancel(self, message: Message) -> bool:
        """Stop a request of 2026-07-28, if it is one."""
        stream = self._under_way.get(_cancelled(message.params).request_id)
        if stream is not None:
            stream.cancel()
        return stream is not None

    def _initialize(self, message: Message) -> Answer:
        self._speaks_mcp = True
        make_stream = functools.partial(_Pipe, self._outbox)
        conversation = self._service.conversations.greet(
            message, self._caller.principal, make_stream=make_stream
        )
        conversation.tenant = self._tenant
        self._conversation = conversation
        session = self._caller.session
        if session is not None:
            conversation.watch(session)
        return Answer(self._service.conversations.welcome(message.identity, conversation))

    def _stateless(self, message: Message) -> Answer | Stream:
        self._speaks_mcp = True
        call = read_call(message, None, self._caller.principal, self._tenant)
        call.make_stream = functools.partial(self._pipe_of, call)
        return self._service.respond(call)

    def _pipe_of(self, call: StatelessCall) -> Stream:
        stream = self._under_way[call.identity] = _Pipe(self._outbox)
        return stream

    def _without_session(self, message: Message) -> Answer:
        """On 2026-07-28 whatever is no request asks for nothing."""
        if message.is_notification:
            return ACCEPTED
        raise InvalidMessageError(
            "Invalid request: name the revision in _meta, or begin with initialize"
        )

    async def close(self) -> None:
        """Stop what is under way and, where it can still be sent, send what is done."""
        for stream in self._under_way.values():
            stream.cancel()
        for stream in self._under_way.values():
            await stream.ended()
        if self._conversation is not None:
            await self._conversation.close()
        await self._outbox.flush(LAST_WORDS_S)
        await self._outbox.close()
