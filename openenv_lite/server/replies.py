"""What a conversation answers, as HTTP: one JSON body, or a stream of server-sent events."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.types import Message, Receive, Send

from openenv_lite.conversation.stream import PULSE, Answer, Event, Stream
from openenv_lite.server.authorization import Refusal

__all__ = ["Headers", "refuse", "relay", "resume", "tell", "whole"]

Headers = list[tuple[bytes, bytes]]

PULSE_S = 15.0
"""A silent stream shows so often that it is alive, for proxies that close what seems dead."""

RETRY_MS = 500
"""After how long a client that was sent away comes back."""

_JSON = (b"content-type", b"application/json")
_STREAM: Headers = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]


async def refuse(send: Send, refusal: Refusal) -> None:
    """Send a refusal, which is a response as it stands."""
    start = {"status": refusal.status, "headers": refusal.headers}
    await send({"type": "http.response.start", **start})
    await send({"type": "http.response.body", "body": refusal.body})


async def tell(send: Send, answer: Answer) -> None:
    """Send an answer as JSON."""
    for message in whole(answer):
        await send(message)


def whole(answer: Answer) -> tuple[Message, Message]:
    """An answer as JSON, in the two messages that make a response."""
    body = answer.body or b""
    headers = [(b"content-length", b"%d" % len(body))]
    if body:
        headers.append(_JSON)
    if answer.session_id is not None:
        headers.append((b"mcp-session-id", answer.session_id.encode()))
    start = {"type": "http.response.start", "status": answer.status, "headers": headers}
    return start, {"type": "http.response.body", "body": body}


async def relay(stream: Stream, receive: Receive, send: Send) -> None:
    """Send the answer as JSON; as soon as anything comes before it, all as events.

    A client that leaves ends a request that it cannot come back to.
    """
    async with _watching(stream, receive):
        answer = await stream.only_answer()
        if not stream.is_read:
            return  # nobody is left to be answered
        if answer is None:
            await follow(stream, None, send)
        else:
            stream.forget()
            await tell(send, answer)


@contextlib.asynccontextmanager
async def _watching(stream: Stream, receive: Receive) -> AsyncIterator[None]:
    watch = asyncio.create_task(_until_gone(stream, receive))
    try:
        yield
    finally:
        watch.cancel()


async def _until_gone(stream: Stream, receive: Receive) -> None:
    if (await receive())["type"] != "http.disconnect":
        return  # a host that has more to say after the whole body cannot be watched
    if stream.key:
        stream.lose_reader()
    else:
        stream.cancel()


async def resume(stream: Stream, after: int | None, receive: Receive, send: Send) -> None:
    """Send, as events, what a client that came back has not seen."""
    async with _watching(stream, receive):
        await follow(stream, after, send)


async def follow(stream: Stream, after: int | None, send: Send) -> None:
    """Send messages as events to the last one."""
    await send({"type": "http.response.start", "status": 200, "headers": _STREAM})
    if stream.primes and after is None:
        await _send_on(send, f"id: {stream.key}_0\nretry: {RETRY_MS}\ndata: \n\n".encode())
    async for event in stream.read(after, PULSE_S):
        await _send_on(send, _framed(stream.key, event))
    await send({"type": "http.response.body", "body": b""})


async def _send_on(send: Send, chunk: bytes) -> None:
    await send({"type": "http.response.body", "body": chunk, "more_body": True})


def _framed(key: str, event: Event) -> bytes:
    if event is PULSE:
        return b": alive\n\n"
    named = f"id: {key}_{event.number}\n".encode() if key else b""
    return named + b"data: " + event.body + b"\n\n"
