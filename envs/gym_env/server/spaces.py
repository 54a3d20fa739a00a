"""Gymnasium's spaces as types, so that `/schema` tells the whole action space.

A bound of a space is a bound of its type: what decodes lies in the space, and the check costs
nothing beyond the decoding. What JSON Schema has no word for, as an array's element type, stands
beside it in words beginning with `x-`. Converters are built once a space.
"""

import functools
import math
import re
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import gymnasium as gym
import msgspec
import numpy as np
from gymnasium import spaces

from openenv_lite import codec
from openenv_lite.errors import ConfigurationError

__all__ = ["Translation", "translate"]

Convert = Callable[[Any], Any]

_MOST_LISTED = 64
"""Numbers that are sent sooner as a list than as an array."""


class Translation(NamedTuple):
    """A space as a type, and the way between the two."""

    kind: Any
    to_gym: Convert
    from_gym: Convert


@functools.singledispatch
def translate(space: gym.Space[Any], name: str, as_arrays: bool = False) -> Translation:
    """The translation of a space.

    Args:
        space: Discrete, Box, MultiDiscrete, MultiBinary, Text, or a Tuple or Dict of these.
        name: What the types made for it are called.
        as_arrays: Large arrays stay NumPy's, which msgpack carries as bytes and JSON as lists; the
            type then takes both. For what is only sent.

    Raises:
        ConfigurationError: There is none for this space.
    """
    raise ConfigurationError(
        f"No type for the space {space}: wrap the environment so that its spaces are Discrete, "
        "Box, MultiDiscrete, MultiBinary, Text, Tuple or Dict"
    )


@translate.register
def _(space: spaces.Discrete, name: str, as_arrays: bool = False) -> Translation:
    first = int(space.start)
    return Translation(_bounded(int, first, first + int(space.n) - 1), _same, int)


@translate.register
def _(space: spaces.Box, name: str, as_arrays: bool = False) -> Translation:
    number = int if np.issubdtype(space.dtype, np.integer) else float
    return _array(space, _array_type(space.low, space.high, number), as_arrays)


@translate.register
def _(space: spaces.MultiDiscrete, name: str, as_arrays: bool = False) -> Translation:
    return _array(space, _array_type(space.start, space.start + space.nvec - 1, int), as_arrays)


@translate.register
def _(space: spaces.MultiBinary, name: str, as_arrays: bool = False) -> Translation:
    bits = _array_type(np.zeros(space.shape), np.ones(space.shape), int)
    return _array(space, bits, as_arrays)


@translate.register
def _(space: spaces.Text, name: str, as_arrays: bool = False) -> Translation:
    characters = "".join(sorted(space.character_set))
    # Not `$`, which lets a newline follow.
    pattern = rf"^[{re.escape(characters)}]*(?![\s\S])"
    limits = msgspec.Meta(pattern=pattern, min_length=space.min_length, max_length=space.max_length)
    kind = _noted(Annotated[str, limits], {"x-characters": characters})
    return Translation(kind, _same, str)


@translate.register(spaces.Tuple)
def _(space: Any, name: str, as_arrays: bool = False) -> Translation:
    each = enumerate(space.spaces)
    parts = [translate(part, f"{name}{place}", as_arrays) for place, part in each]
    inward, outward = [part.to_gym for part in parts], [part.from_gym for part in parts]
    return Translation(
        tuple[tuple(part.kind for part in parts)],  # type: ignore[misc]
        lambda value: tuple(convert(each) for convert, each in zip(inward, value, strict=True)),
        lambda value: [convert(each) for convert, each in zip(outward, value, strict=True)],
    )


@translate.register
def _(space: spaces.Dict, name: str, as_arrays: bool = False) -> Translation:
    each = enumerate(space.items())
    parts = {key: translate(part, f"{name}{place}", as_arrays) for place, (key, part) in each}
    # Keys of a space need not be identifiers, fields of a Struct must be.
    fields = {key: f"field_{place}" for place, key in enumerate(parts)}
    kind = msgspec.defstruct(
        name,
        [(fields[key], part.kind) for key, part in parts.items()],
        rename={field: str(key) for key, field in fields.items()},
        forbid_unknown_fields=True,
    )
    inward = [(key, fields[key], part.to_gym) for key, part in parts.items()]
    outward = [(key, part.from_gym) for key, part in parts.items()]
    return Translation(
        kind,
        lambda value: {key: convert(getattr(value, field)) for key, field, convert in inward},
        lambda value: {key: convert(value[key]) for key, convert in outward},
    )


def _same(value: Any) -> Any:
    return value


def _bounded(number: type, low: float, high: float) -> Any:
    bounds = {"ge": low, "le": high}
    finite = {bound: number(value) for bound, value in bounds.items() if np.isfinite(value)}
    return Annotated[number, msgspec.Meta(**finite)]


def _noted(kind: Any, words: dict[str, Any]) -> Any:
    return Annotated[kind, msgspec.Meta(extra_json_schema=words)]


def _array(space: gym.Space[Any], kind: Any, as_arrays: bool) -> Translation:
    dtype = space.dtype
    noted = _noted(kind, {"x-space": type(space).__name__, "x-dtype": str(dtype)})
    to_gym = functools.partial(np.array, dtype=dtype)
    if not as_arrays or math.prod(space.shape or ()) <= _MOST_LISTED:
        return Translation(noted, to_gym, _listed)
    either = _noted(Any, codec.json_schema(noted))
    return Translation(either, to_gym, functools.partial(np.asarray, dtype=dtype))


def _listed(value: Any) -> Any:
    return value.tolist() if type(value) is np.ndarray else np.asarray(value).tolist()


def _array_type(low: Any, high: Any, number: type) -> Any:
    """Nested lists of fixed length; a tuple along an axis whose parts differ in their bounds."""
    if not low.shape:
        return _bounded(number, low, high)
    if (low == low[0]).all() and (high == high[0]).all():
        length = msgspec.Meta(min_length=len(low), max_length=len(low))
        return Annotated[list[_array_type(low[0], high[0], number)], length]  # type: ignore[misc]
    parts = (_array_type(*bounds, number) for bounds in zip(low, high, strict=True))
    return tuple[tuple(parts)]  # type: ignore[misc]
