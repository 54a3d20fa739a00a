"""The two encodings of our subprotocol."""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from openenv_lite import arrays, codec
from openenv_lite.errors import OpenEnvError

__all__ = ["FORMATS", "JSON", "MSGPACK", "Decode", "Format", "described"]

Decode = Callable[[Any], Any]
"""From a frame, as text or bytes, to a message."""


class Format(NamedTuple):
    """One of the two encodings.

    Attributes:
        subprotocol: As the WebSocket handshake names it.
        is_text: Whether its frames are text; else they are binary.
        encode: A message to bytes.
        decoder: From a type to the function that decodes it, with msgspec's own errors.
    """

    subprotocol: str
    is_text: bool
    encode: Callable[[Any], bytes]
    decoder: Callable[[Any], Decode]

    @property
    def kind(self) -> str:
        """Where ASGI has the frames of a WebSocket: `"text"` or `"bytes"`."""
        return "text" if self.is_text else "bytes"

    def sealed(self, value: Any) -> msgspec.Raw:
        """A value encoded already, which nobody can change any more."""
        return msgspec.Raw(self.encode(value))


def described(error: OpenEnvError) -> dict[str, Any]:
    """An error as the wire tells it; without details that cannot be carried."""
    named = {"code": error.code, "message": error.message}
    try:
        codec.encode(error.details)
        MSGPACK.encode(error.details)
    except (*codec.UNSENDABLE, OverflowError):  # msgpack has no larger numbers than 64 bits
        return named
    return {**error.details, **named}


def _for_json(value: Any) -> Any:
    return described(value) if isinstance(value, OpenEnvError) else codec.plain(value)


def _for_msgpack(value: Any) -> Any:
    if isinstance(value, OpenEnvError):
        return described(value)
    packed = arrays.packed(value)
    return codec.plain(value) if packed is None else packed


def _json_decoder(kind: Any) -> Decode:
    return msgspec.json.Decoder(kind, strict=False, dec_hook=codec.construct).decode


def _msgpack_decoder(kind: Any) -> Decode:
    return msgspec.msgpack.Decoder(
        kind, strict=False, dec_hook=codec.construct, ext_hook=arrays.unpacked
    ).decode


JSON = Format(
    "openenv-lite.json", True, msgspec.json.Encoder(enc_hook=_for_json).encode, _json_decoder
)
MSGPACK = Format(
    "openenv-lite.msgpack",
    False,
    msgspec.msgpack.Encoder(enc_hook=_for_msgpack).encode,
    _msgpack_decoder,
)
FORMATS = {each.subprotocol: each for each in (MSGPACK, JSON)}
"""By subprotocol; of several that a client offers, the first of these is taken."""
