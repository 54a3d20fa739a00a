"""Gymnasium's spaces as types, so that `/schema` tells the whole action space.

A bound of a space is a bound of its type: what decodes lies in the space, and the check costs
nothing beyond the decoding. Converters are built once a space.
"""

import functools
import re
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import gymnasium as gym
import msgspec
import numpy as np
from gymnasium import spaces

from openenv_lite.errors import ConfigurationError

__all__ = ["Translation", "translate"]

Convert = Callable[[Any], Any]


class Translation(NamedTuple):
    """A space as a type, and the way between the two."""

    kind: Any
    to_gym: Convert
    from_gym: Convert


@functools.singledispatch
def translate(space: gym.Space[Any], name: str) -> Translation:
    """The translation of a space.

    Args:
        space: Discrete, Box, MultiDiscrete, MultiBinary, Text, or a Tuple or Dict of these.
        name: What the types made for it are called.

    Raises:
        ConfigurationError: There is none for this space.
    """
    raise ConfigurationError(
        f"No type for the space {space}: wrap the environment so that its spaces are Discrete, "
        "Box, MultiDiscrete, MultiBinary, Text, Tuple or Dict"
    )


@translate.register
def _(space: spaces.Discrete, name: str) -> Translation:
    first = int(space.start)
    return Translation(_bounded(int, first, first + int(space.n) - 1), _same, int)


@translate.register
def _(space: spaces.Box, name: str) -> Translation:
    number = int if np.issubdtype(space.dtype, np.integer) else float
    return _array(space, _array_type(space.low, space.high, number))


@translate.register
def _(space: spaces.MultiDiscrete, name: str) -> Translation:
    return _array(space, _array_type(space.start, space.start + space.nvec - 1, int))


@translate.register
def _(space: spaces.MultiBinary, name: str) -> Translation:
    return _array(space, _array_type(np.zeros(space.shape), np.ones(space.shape), int))


@translate.register
def _(space: spaces.Text, name: str) -> Translation:
    letters = re.escape("".join(sorted(space.character_set)))
    # Not `$`, which lets a newline follow.
    pattern = rf"^[{letters}]*(?![\s\S])"
    limits = msgspec.Meta(pattern=pattern, min_length=space.min_length, max_length=space.max_length)
    return Translation(Annotated[str, limits], _same, str)


@translate.register(spaces.Tuple)
def _(space: Any, name: str) -> Translation:
    parts = [translate(each, f"{name}{place}") for place, each in enumerate(space.spaces)]
    inward, outward = [part.to_gym for part in parts], [part.from_gym for part in parts]
    return Translation(
        tuple[tuple(part.kind for part in parts)],  # type: ignore[misc]
        lambda value: tuple(convert(each) for convert, each in zip(inward, value, strict=True)),
        lambda value: [convert(each) for convert, each in zip(outward, value, strict=True)],
    )


@translate.register
def _(space: spaces.Dict, name: str) -> Translation:
    parts = {key: translate(each, f"{name}{i}") for i, (key, each) in enumerate(space.items())}
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


def _array(space: gym.Space[Any], kind: Any) -> Translation:
    dtype = space.dtype
    return Translation(
        kind,
        lambda value: np.array(value, dtype=dtype),
        lambda value: np.asarray(value).tolist(),
    )


def _array_type(low: Any, high: Any, number: type) -> Any:
    """Nested lists of fixed length; a tuple along an axis whose parts differ in their bounds."""
    if not low.shape:
        return _bounded(number, low, high)
    if (low == low[0]).all() and (high == high[0]).all():
        length = msgspec.Meta(min_length=len(low), max_length=len(low))
        return Annotated[list[_array_type(low[0], high[0], number)], length]  # type: ignore[misc]
    parts = (_array_type(*bounds, number) for bounds in zip(low, high, strict=True))
    return tuple[tuple(parts)]  # type: ignore[misc]
