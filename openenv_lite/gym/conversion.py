"""Members of a space and batches of them, from what the wire carries and back."""

import functools
import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium import Space, spaces

from openenv_lite.errors import ConfigurationError

__all__ = ["NUMERIC", "Conversion", "conversion"]

NUMERIC = (spaces.Box, spaces.MultiDiscrete, spaces.MultiBinary, spaces.Discrete)
"""Kinds of spaces of which a batch is one array."""


class Conversion(NamedTuple):
    """Four functions of one space; the wire has numbers, text, lists, dicts, and NumPy's arrays.

    Attributes:
        member: From what the wire carried to a member of the space.
        batch: From a list of such, one a lane, to a member of the batched space.
        plain: From a member of the space to what the wire carries.
        split: From a member of the batched space to a list of such, one a lane.
    """

    member: Callable[[Any], Any]
    batch: Callable[[Sequence[Any]], Any]
    plain: Callable[[Any], Any]
    split: Callable[[Any], list[Any]]


@functools.singledispatch
def conversion(space: Space[Any]) -> Conversion:
    """The conversion of a space.

    Raises:
        ConfigurationError: There is none for this kind of space.
    """
    raise ConfigurationError(
        f"No conversion for the space {space}: use Discrete, Box, MultiDiscrete, MultiBinary, "
        "Text, or a Tuple or Dict of these"
    )


@conversion.register(spaces.Box)
@conversion.register(spaces.MultiDiscrete)
@conversion.register(spaces.MultiBinary)
def _(space: Any) -> Conversion:
    array = functools.partial(np.array, dtype=space.dtype)
    rows = functools.partial(_rows, space.dtype, space.shape)

    def listed(given: Any) -> Any:
        return np.asarray(given, space.dtype).tolist()

    return Conversion(array, rows if len(space.shape) == 1 else array, listed, listed)


def _rows(dtype: Any, shape: tuple[int], values: Sequence[Any]) -> Any:
    """As `np.array`, in little more than half of the time."""
    try:
        flat = np.fromiter(itertools.chain.from_iterable(values), dtype)
    except TypeError:  # in JSON, null stands for NaN
        return np.array(values, dtype)
    return flat.reshape(len(values), *shape)


@conversion.register
def _(space: spaces.Discrete) -> Conversion:
    def listed(given: Any) -> Any:
        return np.asarray(given).tolist()

    return Conversion(int, functools.partial(np.array, dtype=space.dtype), listed, listed)


@conversion.register
def _(space: spaces.Text) -> Conversion:
    return Conversion(str, tuple, str, list)


@conversion.register(spaces.Tuple)
def _(space: Any) -> Conversion:
    parts = [conversion(part) for part in space.spaces]
    getters = [operator.itemgetter(place) for place in range(len(parts))]
    by_part = [*zip(parts, getters, strict=True)]
    return Conversion(
        lambda value: tuple(part.member(get(value)) for part, get in by_part),
        lambda values: tuple(part.batch([*map(get, values)]) for part, get in by_part),
        lambda member: [part.plain(get(member)) for part, get in by_part],
        lambda batch: [*zip(*(part.split(get(batch)) for part, get in by_part), strict=True)],
    )


@conversion.register
def _(space: spaces.Dict) -> Conversion:
    parts = {key: (conversion(part), operator.itemgetter(key)) for key, part in space.items()}

    def each(convert: Callable[[Conversion, Any], Any]) -> dict[str, Any]:
        return {key: convert(part, get) for key, (part, get) in parts.items()}

    def split(batch: Any) -> list[Any]:
        columns = each(lambda part, get: part.split(get(batch)))
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    return Conversion(
        lambda value: each(lambda part, get: part.member(get(value))),
        lambda values: each(lambda part, get: part.batch([*map(get, values)])),
        lambda member: each(lambda part, get: part.plain(get(member))),
        split,
    )
