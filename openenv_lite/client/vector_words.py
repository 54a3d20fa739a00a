"""Requests to bytes, and bytes to replies with observations of the author's type."""

import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from openenv_lite import codec
from openenv_lite.batches import (
    Closed,
    Discarded,
    Exported,
    Format,
    Imported,
    Opened,
    Refused,
    Restored,
    Results,
    Snapshots,
    States,
)
from openenv_lite.client.remote_errors import error_of
from openenv_lite.client.translation import TypeArguments, open_struct
from openenv_lite.client.vector_result import VectorResult, reader
from openenv_lite.errors import InvalidMessageError, OpenEnvError

__all__ = ["Unreadable", "VectorWords"]

# Arrays go out as lists: an author's action type says `list[float]`, for every encoding.
_encode_msgpack = msgspec.msgpack.Encoder(enc_hook=codec.plain).encode


_OTHERS: Any = (
    Opened | Closed | States | Snapshots | Restored | Exported | Imported | Discarded | Refused
)

_LARGE = 4096
"""Bytes of a frame that holds so many objects that the collector would run while it is decoded."""


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Keep Python's collector from looking through objects that are just being made.

    None of them can be garbage yet, and it does so once for every 700: half of the time of a large
    batch.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Unreadable(NamedTuple):
    """A reply that does not fit the types, and whose it is, where that can be told."""

    id: int | None
    error: OpenEnvError


class _Named(msgspec.Struct):
    id: int | None


class VectorWords:
    """What is settled once for a client.

    Args:
        form: The encoding.
        types: Of the client's generics.

    Attributes:
        form: The encoding.
        encode: From a request to a frame.
        result: From a reply to a result.
    """

    def __init__(self, form: Format, types: TypeArguments) -> None:
        self.form = form
        self.encode: Callable[[Any], bytes] = codec.encode if form.is_text else _encode_msgpack
        self.result: Callable[[Any], VectorResult[Any]] = reader(types.observation)
        self._types = types
        self._typed = Results[types.observation]  # type: ignore[name-defined]
        self._decode = form.decoder(self._typed | _OTHERS)
        self._decode_loosely = form.decoder(Results[Any] | _OTHERS)
        self._decode_id = form.decoder(_Named)

    def decode(self, frame: bytes) -> Any:
        """A frame to a reply; `Unreadable` where it is none."""
        try:
            if len(frame) < _LARGE:
                return self._decode(frame)
            with _uncollected():
                return self._decode(frame)
        except codec.UNSENDABLE as error:
            return self._decode_listed(frame, error)

    def _decode_listed(self, frame: bytes, fault: Exception) -> Any:
        """As with lists in the place of arrays: what a type calls a list may be sent as either."""
        try:
            return msgspec.convert(
                codec.to_builtins(self._decode_loosely(frame)),
                self._typed,
                strict=False,
                dec_hook=codec.construct,
            )
        except codec.UNSENDABLE:
            return self._unreadable(frame, fault)

    def _unreadable(self, frame: bytes, fault: Exception) -> Unreadable:
        error = InvalidMessageError(f"The reply does not fit the types of this client: {fault}")
        try:
            return Unreadable(self._decode_id(frame).id, error)
        except codec.UNSENDABLE:
            return Unreadable(None, error)

    def states(self, reply: States) -> list[Any]:
        """The states in a reply.

        Raises:
            OpenEnvError: One could not be read.
        """
        for data in reply.errors.values():
            raise error_of(data)
        return [open_struct(state, self._types.state) for state in reply.states]
