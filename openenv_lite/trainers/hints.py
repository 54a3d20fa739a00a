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

_MOST_PARTS = 10_000
_DEEPEST = 60

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
    if isinstance(values, list) and values and all(type(each) in _SCALARS for each in values):
        return Literal[tuple(values)], {"const", "enum", "type"}
    for keyword in ("anyOf", "oneOf"):
        members = schema.get(keyword)
        if (
            isinstance(members, list)
            and members
            and all(isinstance(each, dict) for each in members)
        ):
            return _union(keyword, members)
    kind = schema.get("type")
    if isinstance(kind, list) and kind:
        return _either(_SIMPLE.get(str(each), Any) for each in kind), {"type"}
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


def inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema with what `$ref` points to in its place; a type within itself is anything.

    So is whatever would make it deeper or larger than any model could read, for a server's schema
    of a few lines can double with each reference.

    Args:
        schema: Or a part of one.
        definitions: The schemas under `$defs` (or `definitions`), by name.
    """
    return _Inlining(definitions).filled(schema, ())


class _Inlining:
    """Fills references in, as long as there is room."""

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._room = _MOST_PARTS

    def filled(self, part: Any, within: tuple[str, ...], depth: int = 0) -> Any:
        """A part, in so many others, and with the names that are being filled in."""
        if isinstance(part, list):
            return [self.filled(each, within, depth + 1) for each in part]
        if not isinstance(part, dict):
            return part
        self._room -= 1
        if self._room < 0 or depth > _DEEPEST:
            return {}
        name = part["$ref"].rpartition("/")[2] if isinstance(part.get("$ref"), str) else None
        if name is None:
            return {key: self.filled(each, within, depth + 1) for key, each in part.items()}
        found = self._definitions.get(name) if name not in within else None
        found = found if isinstance(found, dict) else {}
        rest = {key: each for key, each in part.items() if key != "$ref"}
        return self.filled({**found, **rest}, (*within, name), depth + 1)
