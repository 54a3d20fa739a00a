"""NumPy arrays in msgpack: their own bytes, with element type and shape. NumPy is not needed here.

The data of the extension is msgpack itself: `[typestr, shape, bytes]`, typestr as in NumPy's array
interface (`"<f4"`), the bytes in C order.
"""

import importlib
import re
from typing import Any

import msgspec

__all__ = ["packed", "unpacked"]

ARRAY = 1
"""Number of the msgpack extension."""

_NUMBERS = re.compile(r"[<>|][biufc]\d{1,2}")


class _Parts(msgspec.Struct, array_like=True):
    typestr: str
    shape: list[int]
    data: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Parts).decode


def packed(value: Any) -> msgspec.msgpack.Ext | None:
    """An array of numbers, ready to be sent; None for whatever else."""
    typestr = getattr(getattr(value, "dtype", None), "str", "")
    shape = getattr(value, "shape", ())
    if shape == () or not _NUMBERS.fullmatch(typestr):  # a single number travels as one
        return None
    return msgspec.msgpack.Ext(ARRAY, _encode(_Parts(typestr, list(shape), value.tobytes())))


def unpacked(number: int, data: memoryview) -> Any:
    """The array, as NumPy's; it cannot be written to.

    Raises:
        ValueError: It is none, or NumPy is not installed.
    """
    if number != ARRAY:
        raise ValueError(f"extension {number} is not known here")
    parts = _decode(data)
    if not _NUMBERS.fullmatch(parts.typestr) or min(parts.shape, default=0) < 0:
        raise ValueError("no array of numbers")
    try:
        numpy = importlib.import_module("numpy")
        return numpy.frombuffer(parts.data, parts.typestr).reshape(parts.shape)
    except ImportError:
        raise ValueError("arrays need NumPy here: install it, or send lists") from None
    except (TypeError, OverflowError) as error:
        raise ValueError(f"no array of numbers: {error}") from None
