"""Random values of a JSON Schema, the same for the same generator."""

import random
import re
import string
from collections.abc import Callable
from typing import Any

from openenv_lite.errors import ConfigurationError

__all__ = ["Sampler"]

Schema = dict[str, Any]

_DEPTH = 6
"""Below this nesting only what must be there is drawn, so that recursive schemas end."""
_SPAN = 10
"""Range of an unbounded number, and the most items or letters beyond the least allowed."""

_WORDS = re.compile(r"\^\(?([\w -]+(?:\|[\w -]+)*)\)?\$")
"""Patterns such as `^(up|down)$`, by which authors list what there is."""

_LETTERS = string.digits + string.ascii_letters + string.punctuation + " "


class Sampler:
    """Draws values of one schema.

    Knows `$ref`, `const`, `enum`, `anyOf`, `oneOf`, types and their bounds, `pattern` where single
    letters show which are allowed. Of an object's optional fields each is drawn half of the time;
    `metadata` never is.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._by_type: dict[str, Callable[[Schema, random.Random, int], Any]] = {
            "integer": _integer,
            "number": _number,
            "boolean": lambda schema, rng, depth: rng.random() < 0.5,
            "null": lambda schema, rng, depth: None,
            "string": _string,
            "array": self._array,
            "object": self._object,
        }

    def draw(self, rng: random.Random) -> Any:
        """One value.

        Raises:
            ConfigurationError: The schema says something this cannot satisfy.
        """
        return self._draw(self._schema, rng, 0)

    def _draw(self, schema: Schema, rng: random.Random, depth: int) -> Any:
        if "$ref" in schema:
            return self._draw(self._resolve(schema["$ref"]), rng, depth + 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return rng.choice(schema["enum"])
        if options := schema.get("anyOf") or schema.get("oneOf"):
            return self._draw(_pick(options, rng, depth), rng, depth + 1)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = rng.choice(kind)
        if kind not in self._by_type:
            raise ConfigurationError(f"Cannot draw a value of type {kind!r}: use --policy")
        return self._by_type[kind](schema, rng, depth)

    def _resolve(self, reference: str) -> Schema:
        found: Any = self._schema
        try:
            for step in reference.removeprefix("#").split("/")[1:]:
                found = found[step.replace("~1", "/").replace("~0", "~")]
        except (KeyError, TypeError):
            raise ConfigurationError(f"The schema has no {reference}") from None
        schema: Schema = found
        return schema

    def _array(self, schema: Schema, rng: random.Random, depth: int) -> list[Any]:
        first = schema.get("prefixItems", [])
        least = max(schema.get("minItems", 0), len(first))
        rest = schema.get("items", {})
        spare = 0 if depth >= _DEPTH or rest is False else _SPAN
        length = rng.randint(least, min(schema.get("maxItems", least + spare), least + spare))
        schemas = [*first, *[rest] * (length - len(first))]
        return [self._draw(each, rng, depth + 1) for each in schemas]

    def _object(self, schema: Schema, rng: random.Random, depth: int) -> dict[str, Any]:
        required = schema.get("required", [])
        return {
            name: self._draw(field, rng, depth + 1)
            for name, field in schema.get("properties", {}).items()
            if name in required or _wanted(name, rng, depth)
        }


def _wanted(name: str, rng: random.Random, depth: int) -> bool:
    return name != "metadata" and depth < _DEPTH and rng.random() < 0.5


def _pick(options: list[Schema], rng: random.Random, depth: int) -> Schema:
    flat = [each for each in options if each.get("type") in ("null", "integer", "boolean")]
    return rng.choice(flat if flat and depth >= _DEPTH else options)


def _range(schema: Schema, gap: float) -> tuple[float, float]:
    """Least and greatest value; one missing is `_SPAN` from the other."""
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    low = low + gap if low is not None and "minimum" not in schema else low
    high = high - gap if high is not None and "maximum" not in schema else high
    if low is None:
        low = -_SPAN if high is None else high - _SPAN
    return low, low + _SPAN if high is None else high


def _integer(schema: Schema, rng: random.Random, depth: int) -> int:
    low, high = _range(schema, gap=1)
    return rng.randint(int(low), int(high))


def _number(schema: Schema, rng: random.Random, depth: int) -> float:
    low, high = _range(schema, gap=1e-9)
    part = rng.random()
    return min(max(low * (1 - part) + high * part, low), high)  # no overflow at the far ends


def _string(schema: Schema, rng: random.Random, depth: int) -> str:
    least = schema.get("minLength", 0)
    most = min(schema.get("maxLength", least + _SPAN), least + _SPAN)
    length = rng.randint(min(max(least, 1), most), most)
    pattern = schema.get("pattern", "^[a-z ]*$")
    if words := _WORDS.fullmatch(pattern):
        listed: list[str] = words[1].split("|")
        return rng.choice(listed)
    letters = [each for each in _LETTERS if re.search(pattern, each)]
    text = "".join(rng.choices(letters, k=length)) if letters else ""
    if not re.search(pattern, text):
        raise ConfigurationError(f"Cannot draw text for the pattern {pattern!r}: use --policy")
    return text
