"""The straight way through uvicorn's WebSocket protocol: to app and peer it is no other."""

import asyncio
import logging
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Opcode

from openenv_lite.server.uvicorn_socket import StraightWebSocket
from tests.frame_streams import LIMIT, any_stream, frame, pieces
from tests.server.protocols import Wire, begun, fed, rest

LIBRARY = WebSocketsSansIOProtocol
MASK = b"\x01\x82\x03\xf4"
REQUEST = (
    b"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)


class Recorder:
    """An app that hears to the end; `seen` is what it was told."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append(await receive())
        await send({"type": "websocket.accept"})
        while self.seen[-1]["type"] != "websocket.disconnect":
            self.seen.append(await receive())
            await self.answer(send)

    async def answer(self, send: Any) -> None:
        """Say nothing."""


class Echo(Recorder):
    """Sends back what it is sent."""

    async def answer(self, send: Any) -> None:
        """The last message."""
        if self.seen[-1]["type"] == "websocket.receive":
            await send({**self.seen[-1], "type": "websocket.send"})


class Outcome(NamedTuple):
    """What came of a conversation."""

    seen: list[Any]
    wrote: bytes
    is_closing: bool


async def conversation(
    kind: type[asyncio.Protocol], chunks: list[bytes], app: Recorder, headers: bytes = b""
) -> Outcome:
    """What comes of the chunks."""
    wire = Wire()
    await fed(begun(kind, app, wire), wire, [REQUEST + headers + b"\r\n", *chunks])
    return Outcome(app.seen, wire.wrote, wire.is_closing())


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """uvicorn logs every text that is none."""
    caplog.set_level(logging.CRITICAL, "uvicorn.error")


def text(payload: bytes) -> bytes:
    return frame(Opcode.TEXT, payload, mask=MASK)


@example(text(b"one") + text(b"two")[:3], [])
@example(text(b"x" * (LIMIT + 1)), [])
@example(text(b"x" * 200), [1, 1, 1, 1, 1, 1, 1, 1])
@example(text(b"\xff") + text(b"after"), [])
@example(frame(Opcode.TEXT, b"x", is_final=False, mask=MASK) + text(b"inside"), [])
@example(frame(Opcode.PING, b"x" * 20, mask=MASK) + text(b"after"), [7])
@example(frame(Opcode.TEXT, b"without a mask"), [])
@given(any_stream(MASK), st.lists(st.integers(1, 40), max_size=30))
def test_any_bytes_in_any_pieces_mean_the_same_to_app_and_peer(
    stream: bytes, sizes: list[int]
) -> None:
    """As the library means them: what it makes of pieces depends on how they are cut."""

    async def run() -> tuple[Outcome, Outcome]:
        return (
            await conversation(StraightWebSocket, pieces(stream, sizes), Recorder()),
            await conversation(LIBRARY, [bytes([each]) for each in stream], Recorder()),
        )

    ours, librarys = asyncio.run(run())
    assert ours == librarys


@pytest.mark.parametrize("length", [0, 125, 126, LIMIT])
@pytest.mark.parametrize("kind", [Opcode.TEXT, Opcode.BINARY])
def test_messages_go_through_whatever_their_length(kind: Opcode, length: int) -> None:
    payload = b"x" * length
    ours = asyncio.run(conversation(StraightWebSocket, [frame(kind, payload, mask=MASK)], Echo()))
    told = {"text": payload.decode()} if kind is Opcode.TEXT else {"bytes": payload}
    assert ours.seen[1] == {"type": "websocket.receive", **told}
    assert ours.wrote.endswith(frame(kind, payload))


def test_a_long_reply_has_a_long_length() -> None:
    async def talk(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "y" * 70_000})

    async def run() -> bytes:
        wire = Wire()
        begun(StraightWebSocket, talk, wire).data_received(REQUEST + b"\r\n")
        await rest()
        return wire.wrote

    assert asyncio.run(run()).endswith(frame(Opcode.TEXT, b"y" * 70_000))


def test_what_comes_before_the_answer_is_not_lost() -> None:
    async def run(kind: type[asyncio.Protocol]) -> list[Any]:
        app, wire = Echo(), Wire()
        protocol = begun(kind, app, wire)
        early = text(b"early") + text(b"later")
        for part in (REQUEST + b"\r\n", early[:9], early[9:]):
            protocol.data_received(part)
        await rest()
        protocol.data_received(text(b"last"))
        await rest()
        return [each.get("text") for each in app.seen]

    for kind in (StraightWebSocket, LIBRARY):
        assert asyncio.run(run(kind)) == [None, "early", "later", "last"]


def test_compressed_messages_are_left_to_the_library() -> None:
    offer = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
    squeezed = bytes([0xC1, 0x80 | 7]) + b"\0\0\0\0" + b"\xf2\x48\xcd\xc9\xc9\x07\x00"
    ours, librarys = (
        asyncio.run(conversation(kind, [squeezed, squeezed], Echo(), offer))
        for kind in (StraightWebSocket, LIBRARY)
    )
    assert ours == librarys
    assert [each.get("text") for each in ours.seen] == [None, "Hello", "Hello", None]


def test_an_app_that_does_not_read_stops_the_reading() -> None:
    async def idle(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await asyncio.Event().wait()

    async def run() -> bool:
        wire = Wire()
        protocol = begun(StraightWebSocket, idle, wire)
        protocol.data_received(REQUEST + b"\r\n")
        await rest()
        protocol.data_received(text(b"x") * 100)
        return wire.is_reading()

    assert not asyncio.run(run())


def test_ordinary_messages_do_not_stop_the_reading() -> None:
    async def run() -> int:
        wire = Wire()
        protocol = begun(StraightWebSocket, Echo(), wire)
        for part in (REQUEST + b"\r\n", *[text(b"x")] * 100):
            protocol.data_received(part)
            await rest()
        return wire.pauses

    assert asyncio.run(run()) == 0
