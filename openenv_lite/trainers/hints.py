"""JSON Schemas as type hints, and what of a schema no hint can say."""

import functools
import operator
from collections.abc import Iterable, Mapping, Sequence
from types import GenericAlias, NoneType
from typing import Any, Literal, NamedTuple

from openenv_lite.client.described import Schema

__all__ = ["Hint", "hint_of", "inlined"]

_SIMPLE: dict[Any, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "null": NoneType,
    "array": list,
    "object": dict,
}

_SCALARS = (str, int, float, bool, NoneType)

_TITLE = "title"
"""Says no more than a name does."""


class Hint(NamedTuple):
    """A type hint for the values of a schema.

    Attributes:
        type: Made of `str`, `int`, `float`, `bool`, `None`, `list`, `dict`, `Literal` and unions.
        unsaid: The keywords of the schema that it does not express.
    """

    type: Any
    unsaid: Schema


def hint_of(schema: Schema) -> Hint:
    """The closest hint; `Any` where there is none.

    Args:
        schema: Without references: see `inlined`.
    """
    kind, said = _read(schema)
    return Hint(kind, {k: v for k, v in schema.items() if k not in said and k != _TITLE})


def _read(schema: Schema) -> tuple[Any, set[str]]:
    """The hint, and the keywords it expresses."""
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if values and all(type(each) in _SCALARS for each in values):
        return Literal[tuple(values)], {"const", "enum", "type"}
    for keyword in ("anyOf", "oneOf"):
        members = schema.get(keyword)
        if members and all(isinstance(each, dict) for each in members):
            return _union(keyword, members)
    kind = schema.get("type")
    if isinstance(kind, list) and kind:
        return _either(_SIMPLE.get(each, Any) for each in kind), {"type"}
    if kind == "array" and isinstance(schema.get("items"), dict):
        return _holding(list, "items", schema["items"])
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return _holding(dict, "additionalProperties", schema["additionalProperties"])
    return (_SIMPLE[kind], {"type"}) if str(kind) in _SIMPLE else (Any, set())


def _union(keyword: str, members: Sequence[Schema]) -> tuple[Any, set[str]]:
    hints = [hint_of(each) for each in members]
    is_said = not any(each.unsaid for each in hints)
    return _either(each.type for each in hints), {keyword} if is_said else set()


def _either(kinds: Iterable[Any]) -> Any:
    return functools.reduce(operator.or_, kinds)


def _holding(outer: Any, keyword: str, inner: Schema) -> tuple[Any, set[str]]:
    hint = hint_of(inner)
    arguments = (hint.type,) if outer is list else (str, hint.type)
    return GenericAlias(outer, arguments), {"type"} if hint.unsaid else {"type", keyword}


def inlined(schema: Any, definitions: Mapping[str, Any], within: tuple[str, ...] = ()) -> Any:
    """The schema with what `$ref` points to in its place; a type within itself is anything.

    Args:
        schema: Or a part of one.
        definitions: The schemas under `$defs` (or `definitions`), by name.
        within: Names that are being filled in.
    """
    if isinstance(schema, list):
        return [inlined(each, definitions, within) for each in schema]
    if not isinstance(schema, dict):
        return schema
    name = schema["$ref"].rpartition("/")[2] if isinstance(schema.get("$ref"), str) else None
    if name is None:
        return {key: inlined(each, definitions, within) for key, each in schema.items()}
    found = definitions.get(name) if name not in within else None
    rest = {key: each for key, each in schema.items() if key != "$ref"}
    return inlined({**(found or {}), **rest}, definitions, (*within, name))
