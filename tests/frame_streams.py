"""Streams of WebSocket frames, right and wrong, as either side of a connection may send them."""

from hypothesis import strategies as st
from websockets.frames import Opcode
from websockets.frames import apply_mask as masked  # type: ignore[attr-defined]

__all__ = ["LIMIT", "any_stream", "frame", "pieces"]

LIMIT = 300
"""Of a message's bytes; the streams come near it from both sides."""

_WHOLE = st.sampled_from([Opcode.TEXT, Opcode.BINARY])
_CONTROL = st.sampled_from([Opcode.PING, Opcode.PONG])
_CODES = st.sampled_from([1000, 1001, 1005, 1011, 2999, 4000])


def frame(kind: int, payload: bytes, *, is_final: bool = True, mask: bytes = b"") -> bytes:
    """One frame; of a client's, with its mask."""
    sized, length = 0x80 if mask else 0, len(payload)
    if length < 126:
        head = bytes([sized | length])
    elif length < 1 << 16:
        head = bytes([sized | 126]) + length.to_bytes(2, "big")
    else:
        head = bytes([sized | 127]) + length.to_bytes(8, "big")
    told = masked(payload, mask) if mask else payload
    return bytes([is_final << 7 | kind]) + head + mask + told


def any_stream(mask: bytes = b"") -> st.SearchStrategy[bytes]:
    """Whole messages and fragmented ones, control frames, frames out of place, and no frames.

    Args:
        mask: Of every frame; a client's has one.
    """

    def shaped(kind: int, payload: bytes, is_final: bool = True) -> bytes:
        return frame(kind, payload, is_final=is_final, mask=mask)

    @st.composite
    def fragmented(draw: st.DrawFn) -> bytes:
        """A message in parts, with control frames between them."""
        parts = draw(st.lists(st.binary(max_size=110), min_size=1, max_size=4))
        kinds = [draw(_WHOLE), *[Opcode.CONT] * (len(parts) - 1)]
        frames = b""
        for place, (kind, part) in enumerate(zip(kinds, parts, strict=True)):
            frames += shaped(kind, part, place == len(parts) - 1)
            frames += b"".join(draw(st.lists(control, max_size=1)))
        return frames

    control = st.builds(shaped, _CONTROL, st.binary(max_size=125))
    texts = st.builds(shaped, st.just(Opcode.TEXT), st.text(max_size=50).map(str.encode))
    reasons = st.sampled_from([b"", b"done", b"\xff"])
    closes = st.builds(
        lambda code, reason: shaped(Opcode.CLOSE, code.to_bytes(2, "big") + reason), _CODES, reasons
    )
    lengths = st.binary(max_size=140) | st.binary(min_size=LIMIT - 5, max_size=LIMIT + 5)
    odd = st.builds(shaped, st.sampled_from(Opcode), lengths, st.booleans())
    whole = st.builds(shaped, _WHOLE, st.binary(max_size=200))
    every = st.one_of(whole, texts, control, closes, odd, fragmented(), st.binary(max_size=12))
    return st.lists(every, max_size=6).map(b"".join)


def pieces(stream: bytes, sizes: list[int]) -> list[bytes]:
    """The stream as a socket may give it: cut after these sizes."""
    cut, left = [], stream
    for size in sizes:
        cut.append(left[:size])
        left = left[size:]
    return [each for each in [*cut, left] if each]
