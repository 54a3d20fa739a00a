"""`/mcp` over HTTP: it reads a request, hands it to the service, and sends what comes back."""

import functools
from typing import NamedTuple

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openenv_lite.conversation.handshake import Conversation
from openenv_lite.conversation.homes import home_of
from openenv_lite.conversation.refusals import refusal
from openenv_lite.conversation.service import Inbound, Service
from openenv_lite.conversation.stream import Answer, Stream
from openenv_lite.errors import (
    MessageTooLargeError,
    NotAcceptableError,
    NotJSONError,
    OpenEnvError,
)
from openenv_lite.mcp.headers import SESSION, VERSION, Headers, trimmed
from openenv_lite.mcp.revisions import supported
from openenv_lite.server.authorization import Refusal, Verdict
from openenv_lite.server.guard import Guard
from openenv_lite.server.replies import refuse, relay, resume, tell, whole
from openenv_lite.server.requests import headers_of, query
from openenv_lite.server.workers import carry, whole_again
from openenv_lite.workers import here

__all__ = ["McpEndpoint", "Response"]

Response = tuple[Message, Message] | ASGIApp
"""The two messages of one, or what sends them."""

_JSON, _EVENTS = b"application/json", b"text/event-stream"
_NOT_ALLOWED = Refusal(
    405,
    b'{"detail":"Method Not Allowed"}',
    [(b"content-type", _JSON), (b"content-length", b"31"), (b"allow", b"POST")],
)


class _Request(NamedTuple):
    """One HTTP request that was let in."""

    scope: Scope
    receive: Receive
    send: Send
    headers: Headers
    principal: str | None


class McpEndpoint:
    """The ASGI app behind `/mcp`.

    Args:
        service: Answers.
        guard: Decides who is let in.
        max_bytes: Largest body that is read.
    """

    def __init__(self, service: Service, guard: Guard, max_bytes: int) -> None:
        self._service = service
        self._guard = guard
        self._max_bytes = max_bytes
        # Nearly every request has the content type and the accept header of the one before it.
        self._usual_kinds: tuple[bytes | None, bytes | None] | None = None
        self._worker = here()
        self._others = {"GET": self._get, "DELETE": self._delete}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = headers_of(scope)
        verdict: Verdict = self._guard.check(headers, scope)
        if verdict is None and self._guard.wants_token:
            verdict = await self._guard.authorize(headers, scope)
        if isinstance(verdict, Refusal):
            await refuse(send, verdict)
            return
        principal = None if verdict is None else verdict.subject
        try:
            if scope["method"] != "POST":
                other = self._others.get(scope["method"], _not_allowed)
                await other(_Request(scope, receive, send, headers, principal))
                return
            self._check_kinds(headers)
            message = await receive()
            body = self._body_in(message) or await self._whole_body(message, receive)
            inbound = _inbound(scope, body, headers, principal)
            number = home_of(inbound, self._worker) if self._worker is not None else None
            if number is not None:
                await carry(number, scope, whole_again(body, receive), send)
                return
            taken = self._service.receive(inbound)
        except OpenEnvError as error:
            taken = refusal(None, error)
        except ClientDisconnect:
            return  # nobody is left to be answered
        if isinstance(taken, Answer):
            for part in whole(taken):
                await send(part)
        else:
            await relay(taken, receive, send)

    def at_once(self, scope: Scope, body: bytes) -> Response | None:
        """The response to a request that came whole.

        None where a call must tell: something has to be awaited before anybody knows whether the
        request is for here, or it is refused.
        """
        if scope["method"] != "POST" or self._worker is not None or len(body) > self._max_bytes:
            return None
        headers = headers_of(scope)
        verdict: Verdict = self._guard.check(headers, scope)
        if verdict is None and self._guard.wants_token:
            if not self._guard.decides_now:
                return None
            verdict = self._guard.authorize_now(headers, scope)
        if isinstance(verdict, Refusal):
            return None
        principal = None if verdict is None else verdict.subject
        try:
            self._check_kinds(headers)
            taken = self._service.receive(_inbound(scope, body, headers, principal))
        except OpenEnvError as error:
            taken = refusal(None, error)
        return whole(taken) if isinstance(taken, Answer) else functools.partial(_relay, taken)

    def _check_kinds(self, headers: Headers) -> None:
        """What comes is JSON, and an MCP client takes whatever may go back."""
        kinds = headers.get(b"content-type"), headers.get(b"accept")
        if kinds == self._usual_kinds:
            return
        if not _is(headers.get(b"content-type", _JSON), _JSON):
            raise NotJSONError("Send JSON, and say so: Content-Type: application/json")
        if VERSION in headers or SESSION in headers:
            _require(headers, _JSON, _EVENTS)
            self._usual_kinds = kinds

    def _body_in(self, message: Message) -> bytes:
        """The body, if all of it came in one message and may be read; else nothing."""
        body: bytes = message.get("body", b"")
        return b"" if message.get("more_body") or len(body) > self._max_bytes else body

    async def _whole_body(self, message: Message, receive: Receive) -> bytes:
        """What came in this message and comes in those after it."""
        body = b""
        while True:
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk: bytes = message.get("body", b"")
            body += chunk
            if len(body) > self._max_bytes:
                raise MessageTooLargeError(f"The body is longer than {self._max_bytes} bytes")
            if not message.get("more_body"):
                return body
            message = await receive()

    async def _get(self, request: _Request) -> None:
        """Send what belongs to no request, or the rest of a stream that the client left."""
        if not _has_session(request.headers):
            await _not_allowed(request)
            return
        _require(request.headers, _EVENTS)
        conversation = self._conversation(request)
        await self._whole_body(await request.receive(), request.receive)
        last_event = trimmed(request.headers, b"last-event-id")
        stream, after = self._service.conversations.resume(conversation, last_event)
        await resume(stream, after, request.receive, request.send)

    async def _delete(self, request: _Request) -> None:
        """End a session."""
        if not _has_session(request.headers):
            await _not_allowed(request)
            return
        await self._service.conversations.end(self._conversation(request))
        await tell(request.send, Answer(None))

    def _conversation(self, request: _Request) -> Conversation:
        identity = trimmed(request.headers, SESSION) or ""
        return self._service.conversations.find(identity, request.principal)


def _inbound(scope: Scope, body: bytes, headers: Headers, principal: str | None) -> Inbound:
    named = query(scope, "session_id") if scope["query_string"] else None
    return Inbound(body, headers, principal, named)


async def _relay(stream: Stream, scope: Scope, receive: Receive, send: Send) -> None:
    """Send what is on its way already; what comes first is the body that asked for it."""
    await receive()
    await relay(stream, receive, send)


def _has_session(headers: Headers) -> bool:
    """Whether the request is one of a revision with sessions, and of such a session."""
    if SESSION not in headers:
        return False
    return VERSION not in headers or not supported(trimmed(headers, VERSION)).is_stateless


@functools.lru_cache(maxsize=64)
def _is(given: bytes, kind: bytes) -> bool:
    """Whether a media type, its parameters aside, is this one."""
    return given.partition(b";")[0].strip().lower() == kind


def _require(headers: Headers, *kinds: bytes) -> None:
    if not _takes(headers.get(b"accept", b"*/*"), kinds):
        raise NotAcceptableError(f"Accept {b' and '.join(kinds).decode()}")


@functools.lru_cache(maxsize=64)
def _takes(accept: bytes, kinds: tuple[bytes, ...]) -> bool:
    """Whether a client accepts all of these media types."""
    accepted = [part.partition(b";")[0].strip().lower() for part in accept.split(b",")]
    return all(
        kind in accepted or b"*/*" in accepted or kind.partition(b"/")[0] + b"/*" in accepted
        for kind in kinds
    )


async def _not_allowed(request: _Request) -> None:
    await refuse(request.send, _NOT_ALLOWED)
