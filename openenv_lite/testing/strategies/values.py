"""Hypothesis strategies of values that satisfy a JSON Schema."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from openenv_lite import codec
from openenv_lite.testing.strategies.scalars import (
    WORDS,
    Drawn,
    integers,
    levels_of,
    numbers,
    texts,
)
from openenv_lite.testing.strategies.shapes import Document, Node, Shape, kind_of

__all__ = ["Values", "made"]

_DEPTH = 6
"""Levels of objects and arrays, below which only what must be there is drawn."""

_MANY = 64
"""Numbers in an array from which on they are not drawn one by one."""

_MOST_BYTES = 512
"""Bytes of which such an array is made; a longer one repeats them."""

_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-10, 10),
    st.floats(-10, 10, width=16, allow_subnormal=False),
    WORDS,
)
_ANYTHING = st.one_of(
    _SCALARS, st.lists(_SCALARS, max_size=3), st.dictionaries(WORDS, _SCALARS, max_size=3)
)


Filling = Callable[[Iterator[int], int], list[Any]]
"""From bytes, and how many values are wanted, to these."""


@st.composite
def made(draw: st.DrawFn, make: Callable[..., Any], *parts: Drawn) -> Any:
    """As `st.builds`, but a failure shows what was made and not the call that made it."""
    return make(*map(draw, parts))


class Values:
    """The strategies of one document, each built once."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._built: dict[tuple[int, int], Drawn] = {}
        self._by_kind: dict[str, Callable[[Shape, int], Drawn]] = {
            "any": lambda shape, depth: _ANYTHING,
            "null": lambda shape, depth: st.none(),
            "boolean": lambda shape, depth: st.booleans(),
            "integer": lambda shape, depth: integers(shape),
            "number": lambda shape, depth: numbers(shape),
            "string": lambda shape, depth: texts(shape),
            "array": self._arrays,
            "object": self._objects,
        }

    def of(self, node: Node, depth: int = 0) -> Drawn:
        """Values of a node of the document that stands this deep; shrinks to the simplest shape."""
        key = (id(node), min(depth, _DEPTH))
        if key not in self._built:
            read = self._document.shapes if depth < _DEPTH else self._document.flattest
            self._built[key] = st.one_of([self.of_shape(shape, depth) for shape in read(node)])
        return self._built[key]

    def of_shape(self, shape: Shape, depth: int) -> Drawn:
        """Values of a shape of the document."""
        if "enum" in shape:
            return st.sampled_from(shape["enum"])
        drawn = self._by_kind[kind_of(shape)](shape, depth)
        check = self._document.check(shape)
        return drawn if check is None else drawn.filter(check)

    def is_possible(self, node: Node) -> bool:
        """Whether the node has a value at all."""
        return bool(self._document.shapes(node))

    def keys(self, shape: Shape) -> Drawn:
        """Names of fields that the shape does not name.

        Where it says what the values are, it may stand for a dict whose keys are numbers, of which
        the schema tells nothing; so its keys are numerals.
        """
        if "propertyNames" in shape:
            drawn = self.of({"type": "string", "allOf": [shape["propertyNames"]]})
        else:
            numerals = isinstance(shape.get("additionalProperties", True), dict)
            drawn = st.integers(0, 99).map(str) if numerals else WORDS
        return drawn.filter(lambda name: name not in shape.get("properties", {}))

    def _objects(self, shape: Shape, depth: int) -> Drawn:
        properties, rest = shape.get("properties", {}), shape.get("additionalProperties", True)
        required = shape.get("required", [])
        fields = {name: self.of(properties.get(name, rest), depth + 1) for name in required}
        optional = {
            name: self.of(node, depth + 1)
            for name, node in properties.items()
            if name not in required and self._is_offered(name, node, depth)
        }
        least = max(shape.get("minProperties", 0) - len(fields), 0)
        named = st.fixed_dictionaries(fields, optional=optional)
        if self.is_possible(rest) and (not properties or least > 0):
            others = self._others(shape, least, depth)
            named = made(lambda some, more: {**more, **some}, named, others)
        if not {"minProperties", "maxProperties"} & shape.keys():
            return named
        fewest, most = shape.get("minProperties", 0), shape.get("maxProperties", math.inf)
        return named.filter(lambda value: fewest <= len(value) <= most)

    def _is_offered(self, name: str, node: Node, depth: int) -> bool:
        """Whether an optional field is ever drawn: the metadata of an action is not."""
        if depth >= _DEPTH or (depth == 0 and name == "metadata"):
            return False
        return self.is_possible(node)

    def _others(self, shape: Shape, least: int, depth: int) -> Drawn:
        """Fields that the shape does not name."""
        room = shape.get("maxProperties", math.inf) - len(shape.get("required", []))
        most = min(room, least + _spare(depth) // 2)
        rest = self.of(shape.get("additionalProperties", True), depth + 1)
        return st.dictionaries(self.keys(shape), rest, min_size=least, max_size=int(most))

    def _arrays(self, shape: Shape, depth: int) -> Drawn:
        prefix, rest = shape.get("prefixItems", []), shape.get("items", True)
        least, most = shape.get("minItems", 0), shape.get("maxItems", math.inf)
        unique = shape.get("uniqueItems", False)
        if not unique and self._count(shape) > _MANY:
            return self._filled(shape, depth)
        wanted = prefix[: min(len(prefix), most)] if depth < _DEPTH else prefix[:least]
        first = [self.of(n, depth + 1) for n in itertools.takewhile(self.is_possible, wanted)]
        fewest = max(least - len(first), 0)
        is_open = len(first) == len(prefix) and self.is_possible(rest)
        spare = _spare(depth) if is_open else 0
        others = self._list(rest, fewest, min(most - len(first), fewest + spare), depth, unique)
        if not first:
            return others
        drawn = made(lambda some, more: [*some, *more], st.tuples(*first), others)
        return drawn.filter(_is_unique) if unique else drawn

    def _list(self, node: Node, least: int, most: float, depth: int, unique: bool) -> Drawn:
        if most <= 0:
            return made(list)
        by = _sameness if unique else None
        return st.lists(self.of(node, depth + 1), min_size=least, max_size=int(most), unique_by=by)

    def _count(self, shape: Shape) -> int:
        """Single values in the shortest array of the shape."""
        if kind_of(shape) != "array":
            return 1
        prefix, least = shape.get("prefixItems", []), shape.get("minItems", 0)
        count = sum(self._count_in(node) for node in prefix[:least])
        further = least - len(prefix)
        return count + (further * self._count_in(shape.get("items", True)) if further > 0 else 0)

    def _count_in(self, node: Node) -> int:
        shapes = self._document.shapes(node)
        return self._count(shapes[0]) if len(shapes) == 1 else 1

    def _filled(self, shape: Shape, depth: int) -> Drawn:
        """A large array, out of bytes drawn at once: a number each, or the place in a few values.

        A byte of zero stands for the simplest value, so that shrinking goes its usual way.
        """
        size = min(self._count(shape), _MOST_BYTES)
        drawn_bytes = st.binary(min_size=size, max_size=size)
        fill = self._filling(shape)
        if fill is not None:
            return made(lambda drawn: fill(itertools.cycle(drawn), 1)[0], drawn_bytes)
        prefix, least = shape.get("prefixItems", []), shape.get("minItems", 0)
        first = st.tuples(*(self.of(node, depth + 1) for node in prefix[:least]))
        further = least - len(prefix)
        if further <= 0:
            return made(list, first)
        few = st.lists(self.of(shape.get("items", True), depth + 1), min_size=1, max_size=4)
        return made(
            lambda start, few, drawn: [*start, *_repeated(few, drawn, further)],
            first,
            few,
            drawn_bytes,
        )

    def _filling(self, shape: Shape) -> Filling | None:
        """For an array of fixed length whose parts are numbers, or such arrays."""
        prefix, least = shape.get("prefixItems", []), shape.get("minItems", 0)
        further = max(least - len(prefix), 0)
        first = [self._filling_in(node) for node in prefix[:least]]
        rest = self._filling_in(shape.get("items", True)) if further else _nothing
        parts = [part for part in first if part is not None]
        if rest is None or len(parts) < len(first):
            return None

        def fill(drawn: Iterator[int], count: int) -> list[Any]:
            return [
                [*(part(drawn, 1)[0] for part in parts), *rest(drawn, further)]
                for _ in range(count)
            ]

        return fill

    def _filling_in(self, node: Node) -> Filling | None:
        shapes = self._document.shapes(node)
        if len(shapes) != 1:
            return None
        if kind_of(shapes[0]) == "array":
            return self._filling(shapes[0])
        levels = levels_of(shapes[0])
        if levels is None:
            return None
        return lambda drawn, count: [levels[byte] for byte in itertools.islice(drawn, count)]


def _nothing(drawn: Iterator[int], count: int) -> list[Any]:
    """For an array without further items."""
    return []


def _spare(depth: int) -> int:
    """Items beyond the least, fewer the deeper they stand."""
    return max(_DEPTH - depth, 0)


def _repeated(few: list[Any], drawn: bytes, length: int) -> list[Any]:
    """An array of a few values, of which none is the same object as another."""
    chosen = itertools.islice(itertools.cycle(drawn), length)
    repeated: list[Any] = codec.to_builtins([few[byte % len(few)] for byte in chosen])
    return repeated


def _sameness(value: Any) -> bytes:
    """Equal for values that JSON Schema takes for equal."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return codec.encode(value)


def _is_unique(values: list[Any]) -> bool:
    return len({_sameness(value) for value in values}) == len(values)
