"""Hypothesis strategies of values with one fault each, and what the fault is."""

import itertools
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from openenv_lite.testing.strategies.scalars import Drawn, bounds, letters_of
from openenv_lite.testing.strategies.shapes import (
    Document,
    Node,
    Shape,
    are_apart,
    kind_of,
    types_of,
)
from openenv_lite.testing.strategies.values import Values, made

__all__ = ["Fault", "Faults"]

Fault = st.SearchStrategy[tuple[Any, str]]

_DEPTH = 4
"""Levels of objects and arrays, below which no fault is made."""

_MOST_PLACES = 12
"""Fields or items of one value in which a fault is made."""

_MOST_LETTERS = 10_000
"""Where more are allowed, none are too many: the value would be refused for its size alone."""

_STRANGERS: dict[str, Any] = {
    "null": None,
    "string": "text",
    "array": [],
    "object": {},
    "boolean": True,
    "integer": 7,
    "number": 0.5,
}
"""A value of each type that lax decoding does not take for one of another."""

_TAKEN_FOR = {
    "integer": {"integer", "boolean"},
    "number": {"number", "integer", "boolean"},
}
"""Types whose values lax decoding, Pydantic's too, takes for a number."""

_ODD_TEXTS = ("!", "?", "a", "Z", "é", "a!", "# ", "\n", "x-y")


class Faults:
    """The strategies of one document."""

    def __init__(self, document: Document, values: Values) -> None:
        self._document = document
        self._values = values
        self._built: dict[tuple[int, int], list[Fault]] = {}
        self._by_kind: dict[str, Callable[[Shape, Shape, int], Iterator[Fault]]] = {
            "integer": _in_number,
            "number": _in_number,
            "string": _in_text,
            "array": self._in_array,
            "object": self._in_object,
        }

    def of(self, node: Node, depth: int = 0) -> list[Fault]:
        """Faulty values of a node that stands this deep, a strategy for each fault."""
        key = (id(node), depth)
        if key not in self._built:
            shapes = self._document.shapes(node)
            self._built[key] = [*_wrong_type(shapes), *self._within(shapes, depth)]
        return self._built[key]

    def _within(self, shapes: list[Shape], depth: int) -> Iterator[Fault]:
        """Faults of values whose type is right. Shapes that overlap might excuse each other's."""
        apart = [shape for shape in shapes if are_apart(self._document, shape, shapes)]
        for shape in apart:
            if "enum" in shape:
                yield from _unlisted(shape["enum"])
            elif kind_of(shape) in self._by_kind:
                asked = self._with_every_tag(shape, shapes)
                yield from self._by_kind[kind_of(shape)](shape, asked, depth)

    def _with_every_tag(self, shape: Shape, shapes: list[Shape]) -> Shape:
        """The shape as it is for finding faults: another shape's tag is not one."""
        kin = [each for each in shapes if kind_of(each) == "object"]
        tag = self._document.tag(kin) if len(kin) > 1 else None
        if tag is None or kind_of(shape) != "object":
            return shape
        tags = [value for each in kin for value in self._document.constants(each, tag)]
        return {**shape, "properties": {**shape["properties"], tag: {"enum": tags}}}

    def _in_object(self, shape: Shape, asked: Shape, depth: int) -> Iterator[Fault]:
        drawn = self._values.of_shape(shape, depth)
        for name in shape.get("required", [])[:_MOST_PLACES]:
            yield _changed(drawn, _without(name), f"missing field {name!r}")
        yield from self._miscounted(shape, drawn)
        if depth >= _DEPTH:
            return
        for name, node in [*asked.get("properties", {}).items()][:_MOST_PLACES]:
            if self._values.is_possible(node):
                yield from self._placed(drawn, node, depth, st.just(name))
        rest = shape.get("additionalProperties", True)
        if self._values.is_possible(rest):
            yield from self._placed(drawn, rest, depth, self._values.keys(shape))

    def _miscounted(self, shape: Shape, drawn: Drawn) -> Iterator[Fault]:
        """Objects with a field too many or too few."""
        name = _new_name(shape)
        if name and not self._values.is_possible(shape.get("additionalProperties", True)):
            yield _changed(drawn, lambda value: {**value, name: 1}, f"unknown field {name!r}")
        least = shape.get("minProperties", 0)
        if least:
            yield _changed(drawn, _first_fields(least - 1), f"fewer than {least} fields")

    def _placed(self, drawn: Drawn, node: Node, depth: int, names: Drawn) -> Iterator[Fault]:
        """A faulty value in a field of an object that is right but for it."""
        faults = self.of(node, depth + 1)
        if faults:
            yield made(
                lambda value, name, bad: ({**value, name: bad[0]}, f"{name}: {bad[1]}"),
                drawn,
                names,
                st.one_of(faults),
            )

    def _in_array(self, shape: Shape, asked: Shape, depth: int) -> Iterator[Fault]:
        drawn = self._values.of_shape(shape, depth)
        prefix, least = shape.get("prefixItems", []), shape.get("minItems", 0)
        rest = shape.get("items", True)
        if least:
            yield _changed(drawn, lambda value: value[: least - 1], f"fewer than {least} items")
        most = shape.get("maxItems", math.inf)
        most = most if self._values.is_possible(rest) else min(most, len(prefix))
        if most <= _MOST_LETTERS and not shape.get("uniqueItems"):
            yield _changed(drawn, lambda value: _lengthened(value, most), f"more than {most} items")
        if depth >= _DEPTH:
            return
        for place, node in enumerate(prefix[: min(_MOST_PLACES, most)]):
            yield from self._among(drawn, node, depth, place)
        if most > len(prefix):
            yield from self._among(drawn, rest, depth, len(prefix), is_first=True)

    def _among(
        self, drawn: Drawn, node: Node, depth: int, place: int, is_first: bool = False
    ) -> Iterator[Fault]:
        """A faulty item in an array that is right but for it, in its place or in any from there."""

        def put(value: list[Any], bad: tuple[Any, str], number: int) -> tuple[Any, str]:
            there = place + number % max(len(value) - place, 1) if is_first else place
            items = [*value[:there], bad[0], *value[there + 1 :]]
            return items, f"item {there}: {bad[1]}"

        full = drawn.filter(lambda value: len(value) >= place)
        faults = self.of(node, depth + 1)
        if faults:
            yield made(put, full, st.one_of(faults), st.integers(0, 10**6))


def _wrong_type(shapes: list[Shape]) -> Iterator[Fault]:
    """A value of each type that is not among theirs."""
    taken: set[str] = set()
    for shape in shapes:
        for kind in types_of(shape):
            taken |= _TAKEN_FOR.get(kind, {kind})
        if {"format", "contentEncoding"} & shape.keys():
            taken |= {"boolean", "integer", "number"}  # as seconds, say
    for kind, value in _STRANGERS.items():
        if kind not in taken and shapes:
            yield st.just((value, f"of the wrong type: {kind}"))


def _unlisted(values: list[Any]) -> Iterator[Fault]:
    """A value of a type that is listed, but not listed itself."""
    listed = {type(value) for value in values}
    if str in listed:
        text = "unlisted"
        while text in values:
            text += "!"
        yield st.just((text, "not one of the values allowed"))
    if listed & {int, float}:
        numbers = [value for value in values if isinstance(value, int | float)]
        beyond = math.floor(max(numbers)) + 2  # not 1, which may stand for True
        yield st.just((max(beyond, 2), "not one of the values allowed"))


def _in_number(shape: Shape, asked: Shape, depth: int) -> Iterator[Fault]:
    low, high = bounds(shape)
    if low is not None:
        yield from _beyond(low, -1, f"below the least number, {low}")
        if low == shape.get("exclusiveMinimum"):
            yield st.just((low, f"not above {low}"))
    if high is not None:
        yield from _beyond(high, 1, f"above the greatest number, {high}")
        if high == shape.get("exclusiveMaximum"):
            yield st.just((high, f"not below {high}"))
    step = shape.get("multipleOf", 1)
    if step != 1:
        yield st.just((step / 2, f"no multiple of {step}"))


def _beyond(bound: float, side: int, words: str) -> Iterator[Fault]:
    """Numbers beyond a bound, near and far."""
    gap = side if isinstance(bound, int) else side * max(1.0, abs(bound))
    found = [bound + times * gap for times in (1, 2, 10, 1000)]
    finite = [value for value in found if abs(value) < math.inf]
    if finite:
        yield made(lambda value: (value, words), st.sampled_from(finite))


def _in_text(shape: Shape, asked: Shape, depth: int) -> Iterator[Fault]:
    least, most = shape.get("minLength", 0), shape.get("maxLength", math.inf)
    letter = "a"
    if "pattern" in shape:
        search = re.compile(shape["pattern"]).search
        letter = next((each for each in letters_of(shape, search) if each.isalpha()), "a")
        odd = (_sized(text, least, most) for text in _ODD_TEXTS)
        wrong = [text for text in odd if not search(text) and text]
        if wrong:
            words = f"does not match {shape['pattern']!r}"
            yield made(lambda text: (text, words), st.sampled_from(wrong))
    if least:
        lengths = st.integers(0, least - 1)
        yield made(lambda size: (letter * size, f"shorter than {least} letters"), lengths)
    if most <= _MOST_LETTERS:
        longer = st.integers(most + 1, most + 5)
        yield made(lambda size: (letter * size, f"longer than {most} letters"), longer)


def _sized(text: str, least: int, most: float) -> str:
    """The text as often, or as much of it, as the lengths want."""
    often = text * max(1, -(-least // len(text)))
    return often if len(often) <= most else often[: int(most)]


def _changed(drawn: Drawn, change: Callable[[Any], Any], words: str) -> Fault:
    return made(lambda value: (change(value), words), drawn)


def _without(name: str) -> Callable[[Any], Any]:
    return lambda value: {key: value[key] for key in value if key != name}


def _first_fields(count: int) -> Callable[[Any], Any]:
    return lambda value: dict(itertools.islice(value.items(), count))


def _lengthened(value: list[Any], most: float) -> list[Any]:
    """The array with its last item repeated, until there is one too many."""
    last = value[-1] if value else 0
    return [*value, *[last] * (int(most) + 1 - len(value))]


def _new_name(shape: Shape) -> str:
    """A field that the shape knows nothing of; empty where it speaks of all."""
    name = "unexpected"
    while name in shape.get("properties", {}):
        name += "_"
    known = shape.get("patternProperties", {})
    return "" if any(re.search(pattern, name) for pattern in known) else name
