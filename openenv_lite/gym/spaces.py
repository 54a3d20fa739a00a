"""JSON Schemas as Gymnasium's spaces, so that a server need not be described twice.

A bound of a schema is a bound of its space. What JSON Schema has no word for, `gym_env` adds:
`x-dtype`, `x-space` and `x-characters`. Numbers without an `x-dtype` are 64 bits wide.
"""

from typing import Any, NamedTuple

import numpy as np
from gymnasium import Space, spaces

from openenv_lite.client.described import Schema
from openenv_lite.errors import ConfigurationError

__all__ = ["space_of"]

_DTYPES = {"integer": "int64", "number": "float64"}
_WIDEST = {"integer": (-(2**63), 2**63 - 1), "number": (-np.inf, np.inf)}


def space_of(schema: Schema, definitions: Schema | None = None) -> Space[Any]:
    """The space whose members the schema describes.

    | schema | space |
    |---|---|
    | integer with both bounds, boolean | Discrete |
    | number, other integer; array of fixed length of these | Box, or what `x-space` says |
    | tuple | Tuple |
    | string of limited length | Text |
    | object | Dict |

    Args:
        schema: As `codec.json_schema` and a server's `/schema` give it.
        definitions: Where a `$ref` points to; by default the schema's own `$defs`.

    Raises:
        ConfigurationError: There is no such space.
    """
    definitions = schema.get("$defs", {}) if definitions is None else definitions
    schema = _resolved(schema, definitions)
    kind = schema.get("type")
    if "x-dtype" in schema:
        return _numeric(schema, schema["x-dtype"])
    if kind == "boolean":
        return spaces.Discrete(2)
    if kind == "integer" and not {*_limits(schema)} & {*_WIDEST["integer"]}:
        low, high = _limits(schema)
        return spaces.Discrete(high - low + 1, start=low)
    if kind == "string" and "maxLength" in schema:
        return _text(schema)
    if kind == "object" and "properties" in schema:
        parts = schema["properties"].items()
        return spaces.Dict({name: space_of(part, definitions) for name, part in parts})
    if "prefixItems" in schema:
        return spaces.Tuple([space_of(part, definitions) for part in schema["prefixItems"]])
    innermost = _innermost(schema)
    if innermost in _DTYPES:
        return _numeric(schema, _DTYPES[innermost])
    shown = {key: value for key, value in schema.items() if key != "$defs"}
    raise ConfigurationError(
        f"Gymnasium has no space for {str(shown)[:200]}: pass observation_space and action_space, "
        "or give arrays a fixed and text a maximal length"
    )


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    name = schema.get("$ref", "").rpartition("/")[2]
    return {**definitions[name], **schema} if name in definitions else schema


def _limits(schema: Schema) -> tuple[Any, Any]:
    """The least and the greatest number. Of floats, an exclusive bound counts as one."""
    step = 1 if schema["type"] == "integer" else 0
    least, greatest = _WIDEST[schema["type"]]
    low = schema.get("minimum", schema.get("exclusiveMinimum", least - step) + step)
    high = schema.get("maximum", schema.get("exclusiveMaximum", greatest + step) - step)
    return low, high


def _text(schema: Schema) -> spaces.Text:
    named = {"charset": schema["x-characters"]} if "x-characters" in schema else {}
    return spaces.Text(schema["maxLength"], min_length=schema.get("minLength", 0), **named)


def _innermost(schema: Schema) -> str | None:
    """The type of what a regular array holds in the end; None where a length is not fixed."""
    while schema.get("type") == "array" and _length(schema) is not None:
        schema = schema.get("items") or {}
    return schema.get("type")


def _length(schema: Schema) -> int | None:
    least, most = schema.get("minItems"), schema.get("maxItems")
    return most if least == most else None


class _Bounds(NamedTuple):
    low: Any
    high: Any


def _numeric(schema: Schema, dtype: str) -> Space[Any]:
    low, high = _bounds(schema, dtype)
    name = schema.get("x-space", "Box")
    if name == "MultiBinary":
        return spaces.MultiBinary(low.shape if low.ndim > 1 else low.size)
    if name == "MultiDiscrete":
        return spaces.MultiDiscrete(high - low + 1, dtype=low.dtype.type, start=low)
    return spaces.Box(low, high, dtype=low.dtype.type)


def _bounds(schema: Schema, dtype: str) -> _Bounds:
    """Arrays of the least and the greatest numbers."""
    if schema["type"] in _WIDEST:
        low, high = _limits(schema)
        return _Bounds(np.array(low, dtype), np.array(high, dtype))
    if "prefixItems" in schema:
        parts = [_bounds(part, dtype) for part in schema["prefixItems"]]
    else:
        parts = [_bounds(schema["items"], dtype)] * (_length(schema) or 0)
    return _Bounds(np.stack([part.low for part in parts]), np.stack([part.high for part in parts]))
