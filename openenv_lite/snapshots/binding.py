"""Snapshots as bytes, bound to the class, the version and the type of what its author saves."""

import hashlib
from collections.abc import Mapping
from typing import Any, get_origin

import msgspec

from openenv_lite import arrays, codec
from openenv_lite.batches import MSGPACK
from openenv_lite.errors import ConfigurationError, SnapshotMismatchError
from openenv_lite.snapshots.moment import Moment

__all__ = ["Binding"]

_WORDS = frozenset({"title", "description", "examples"})
"""What a JSON Schema tells people; it may change, and snapshots fit all the same."""

_NAMED = frozenset({"properties", "$defs"})
"""Where the keys of a JSON Schema are names that an author chose."""

_UNSUPPORTED = (TypeError, ValueError, NotImplementedError, AttributeError)


class _Saved(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    name: str
    version: str
    fingerprint: str
    moment: Moment
    value: msgspec.Raw


class Binding:
    """From the state of an environment to bytes and back, without a class of its peers'.

    Values come back as the type says; arrays where it says nothing, and they can be written to.

    Args:
        name: The class's qualified name.
        version: The class's `VERSION`.
        kind: The type of what `snapshot` returns.

    Raises:
        ConfigurationError: The type cannot be encoded.
    """

    def __init__(self, name: str, version: str, kind: Any) -> None:
        self.name = name
        self.version = version
        try:
            self._fingerprint = _fingerprint(kind)
            self._decode_value = msgspec.msgpack.Decoder(
                kind, dec_hook=_constructed, ext_hook=_own_array
            ).decode
        except _UNSUPPORTED as error:
            raise ConfigurationError(
                f"{name}: snapshot() returns {kind!r}, which cannot be saved ({error}). Use a "
                "Struct, dataclass, list, dict, bytes, array or Pydantic model."
            ) from None
        self._decode = msgspec.msgpack.Decoder(_Saved, ext_hook=_own_array).decode

    def encode(self, moment: Moment, value: Any) -> bytes:
        """A snapshot, which shares nothing with the environment.

        Raises:
            Exception: Whatever the author's types raise, for a value that cannot be encoded.
        """
        encoded = msgspec.Raw(MSGPACK.encode(value))
        return MSGPACK.encode(_Saved(self.name, self.version, self._fingerprint, moment, encoded))

    def check(self, saved: bytes) -> None:
        """Refuse what is no snapshot of this class and version.

        Raises:
            SnapshotMismatchError: It is not.
        """
        self._opened(saved)

    def decode(self, saved: bytes) -> tuple[Moment, Any]:
        """What was saved: by us, and by the author.

        Raises:
            SnapshotMismatchError: It is no snapshot of this class and version.
            Exception: What the author saved does not fit the type that the class declares.
        """
        opened = self._opened(saved)
        return opened.moment, self._decode_value(opened.value)

    def _opened(self, saved: bytes) -> _Saved:
        try:
            opened: _Saved = self._decode(saved)
        except (ValueError, RecursionError):
            raise SnapshotMismatchError("These bytes are no snapshot") from None
        if (opened.name, opened.version) != (self.name, self.version):
            raise SnapshotMismatchError(
                f"This is a snapshot of {opened.name[:100]} in version {opened.version[:100]}; "
                f"it cannot be restored to {self.name} in version {self.version}"
            )
        if opened.fingerprint != self._fingerprint:
            raise SnapshotMismatchError(
                f"What {self.name} saves has another type than when this snapshot was taken: take "
                "it anew, and change VERSION together with the type"
            )
        return opened


def _fingerprint(kind: Any) -> str:
    """Of what a type's values look like, whatever its documentation says."""
    (schema,), definitions = msgspec.json.schema_components([kind], schema_hook=_foreign_schema)
    shape = msgspec.json.encode(_shape([schema, definitions]), order="deterministic")
    return hashlib.sha256(shape).hexdigest()[:32]


def _shape(schema: Any) -> Any:
    if isinstance(schema, list | tuple):
        return [_shape(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        key: {name: _shape(each) for name, each in value.items()}
        if key in _NAMED
        else _shape(value)
        for key, value in schema.items()
        if key not in _WORDS
    }


def _foreign_schema(kind: Any) -> dict[str, Any]:
    if _is_array(kind):
        return {"format": "array"}
    return codec.json_schema(kind)


def _constructed(kind: Any, value: Any) -> Any:
    return value if _is_array(kind) else codec.construct(kind, value)


def _is_array(kind: Any) -> bool:
    """Whether it is NumPy's array type, which need not be installed for anything else."""
    return hasattr(get_origin(kind) or kind, "__array_interface__")


def _own_array(number: int, data: memoryview) -> Any:
    """What arrives over a wire cannot be written to; what an author saved could."""
    return arrays.unpacked(number, data).copy()
