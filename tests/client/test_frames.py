"""Our frames against those of `websockets`: the same bytes must mean the same to both."""

import dataclasses

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidMessage, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, SERVER, Protocol
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from openenv_lite.client.frame_stream import FrameStream
from openenv_lite.client.frames import Frames, masked
from openenv_lite.client.transport import SUBPROTOCOL_HEADER
from tests.frame_streams import LIMIT, any_stream, frame, pieces

ADDRESS = parse_uri("ws://host/ws")


@dataclasses.dataclass
class Meaning:
    """What bytes meant to a client."""

    messages: list[bytes]
    pongs: int
    is_open: bool
    code: int | None
    answered: list[tuple[Opcode, bytes]]


def ours(chunks: list[bytes]) -> Meaning:
    frames, sent = Frames(LIMIT), b""
    for chunk in chunks:
        frames.feed(chunk)
        sent += frames.due()
    code = frames.closing.code if frames.closing else None
    return Meaning([*frames.messages], frames.pongs, frames.open, code, seen_by_server(sent))


def theirs(chunks: list[bytes]) -> Meaning:
    protocol = ClientProtocol(ADDRESS, state=OPEN, max_size=LIMIT)
    for chunk in chunks:
        protocol.receive_data(chunk)
    events = [each for each in protocol.events_received() if isinstance(each, Frame)]
    messages: list[bytes] = []
    parts: list[bytes] = []
    for each in events:
        if each.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            parts.append(bytes(each.data))
            if each.fin:
                messages.append(b"".join(parts))
                parts = []
    closing = protocol.close_rcvd or protocol.close_sent
    return Meaning(
        messages,
        sum(each.opcode is Opcode.PONG for each in events),
        protocol.state is OPEN,
        closing.code if closing else None,
        seen_by_server(b"".join(protocol.data_to_send())),
    )


def seen_by_server(sent: bytes) -> list[tuple[Opcode, bytes]]:
    """The frames a client has sent, unmasked; of a close frame only the code, texts may differ."""
    protocol = Protocol(SERVER, state=OPEN, max_size=None)
    protocol.receive_data(sent)
    assert protocol.parser_exc is None
    frames = [each for each in protocol.events_received() if isinstance(each, Frame)]
    return [
        (each.opcode, bytes(each.data[:2] if each.opcode is Opcode.CLOSE else each.data))
        for each in frames
    ]


PARTS = [
    frame(Opcode.CONT if place else Opcode.TEXT, b"x" * 110, is_final=False) for place in range(3)
]


@example(b"".join(PARTS), [])
@given(any_stream(), st.lists(st.integers(1, 40), max_size=30))
def test_any_bytes_in_any_pieces_mean_the_same_to_both(stream: bytes, sizes: list[int]) -> None:
    chunks = pieces(stream, sizes)
    assert ours(chunks) == theirs(chunks)


@given(st.sampled_from([Opcode.TEXT, Opcode.BINARY, Opcode.PING]), st.binary(max_size=100))
def test_a_server_reads_what_we_send(kind: Opcode, payload: bytes) -> None:
    assert seen_by_server(masked(kind, payload)) == [(kind, payload)]


@pytest.mark.parametrize("length", [0, 125, 126, 65535, 65536, 70000])
def test_every_way_to_write_a_length(length: int) -> None:
    payload = bytes(range(256)) * (length // 256) + b"x" * (length % 256)
    assert seen_by_server(masked(Opcode.BINARY, payload)) == [(Opcode.BINARY, payload)]
    frames = Frames(max_bytes=length)
    frames.feed(frame(Opcode.BINARY, payload))
    assert [*frames.messages] == [payload]


def test_two_frames_are_masked_differently() -> None:
    assert masked(Opcode.TEXT, b"secret") != masked(Opcode.TEXT, b"secret")


def test_the_end_of_the_stream_ends_it_without_a_code() -> None:
    frames = Frames(LIMIT)
    frames.feed(b"")
    assert (frames.open, frames.closing, frames.due()) == (False, None, b"")


def shake_hands(stream: FrameStream, pieces: int, *after: bytes) -> None:
    """Answer the client's request, the response in pieces, frames right behind it."""
    stream.ask({"x-own": "1"})
    server = ServerProtocol(subprotocols=["b"])  # type: ignore[list-item]
    server.receive_data(stream.due())
    (request,) = server.events_received()
    assert request.headers["x-own"] == "1"  # type: ignore[union-attr]
    server.send_response(server.accept(request))  # type: ignore[arg-type]
    response = b"".join(server.data_to_send()) + b"".join(after)
    size = max(len(response) // pieces, 1)
    for start in range(0, len(response), size):
        assert stream.answer() is None or start + size >= len(response) - len(b"".join(after))
        stream.feed(response[start : start + size])


@pytest.mark.parametrize("pieces", [1, 3, 1000])
def test_frames_may_come_with_the_handshake(pieces: int) -> None:
    stream = FrameStream(ADDRESS, LIMIT, "b")
    shake_hands(stream, pieces, frame(Opcode.TEXT, b"hello"))
    headers = stream.answer()
    assert headers is not None
    assert headers[SUBPROTOCOL_HEADER] == "b"
    assert [*stream.frames] == [b"hello"]


def test_a_refusal_is_told_with_its_status() -> None:
    stream = FrameStream(ADDRESS, LIMIT)
    stream.ask({})
    stream.due()
    stream.feed(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n")
    assert stream.answer() is None
    stream.feed(b"\r\nno")
    stream.feed(b"pe")
    with pytest.raises(InvalidStatus, match="403"):
        stream.answer()


def test_headers_without_end_are_given_up() -> None:
    stream = FrameStream(ADDRESS, LIMIT)
    stream.ask({})
    stream.feed(b"HTTP/1.1 101 Switching\r\n" + b"x: y\r\n" * 20000)
    with pytest.raises(InvalidMessage):
        stream.answer()
