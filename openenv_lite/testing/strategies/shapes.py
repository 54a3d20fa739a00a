"""A JSON Schema read as *shapes*: alternatives that hold no others.

A shape is an enumeration, or of one type, or anything at all. What no shape can say (`not`, `if`,
a `oneOf` whose options overlap) stays in it and is checked afterwards, by `jsonschema`.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

from openenv_lite.errors import ConfigurationError, InvalidArgumentsError
from openenv_lite.schemas import check_of

__all__ = ["Document", "Node", "Shape", "are_apart", "kind_of", "types_of"]

Shape = dict[str, Any]
Node = Shape | bool

_KINDS: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "array": (list,),
    "object": (dict,),
}

_NUMBERS = {"boolean", "integer", "number"}
"""Types whose values lax decoding takes for one another."""

_FUEL = 24
"""Levels below which a value that must go deeper is held not to exist."""

_COMBINING = {"$ref", "allOf", "anyOf", "oneOf", "discriminator"}
_DEFINITIONS = {"$defs", "definitions"}
_NOTES = {"title", "description", "default", "examples", "deprecated"} | _DEFINITIONS

_CHECKED = frozenset(
    {
        *("allOf", "oneOf", "not", "if", "then", "else", "contains", "patternProperties"),
        *("dependentRequired", "dependentSchemas", "dependencies"),
        *("unevaluatedItems", "unevaluatedProperties"),
    }
)
"""Words that drawing by type does not heed."""

_TELLING = {
    "object": {"properties", "required", "additionalProperties", "minProperties", "propertyNames"},
    "array": {"items", "prefixItems", "minItems", "maxItems", "uniqueItems"},
    "string": {"pattern", "minLength", "maxLength", "format", "contentEncoding"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
}


def kind_of(shape: Shape) -> str:
    """The type of the values, guessed from the other words where none is named; else `any`."""
    if "type" in shape:
        return str(shape["type"])
    return next((kind for kind, words in _TELLING.items() if words & shape.keys()), "any")


class Document:
    """One schema with all that it refers to.

    Nodes are told apart by their identity, so they must be parts of this schema or of its shapes.
    """

    def __init__(self, root: Shape) -> None:
        self._root = root
        self._shapes: dict[int, tuple[Node, list[Shape]]] = {}
        self._begun: set[int] = set()
        self._checks: dict[int, Callable[[Any], bool]] = {}
        self._heights: dict[tuple[int, int], float] = {}

    def shapes(self, node: Node) -> list[Shape]:
        """The shapes of a node that have values, simplest first."""
        found = [(self._height_of(shape, _FUEL), shape) for shape in self._read(node)]
        finite = [each for each in found if each[0] < math.inf]
        return [shape for _, shape in sorted(finite, key=lambda each: each[0])]

    def flattest(self, node: Node) -> list[Shape]:
        """Those of them whose values end soonest: following them ends every recursion."""
        found = self.shapes(node)
        least = min((self._height_of(shape, _FUEL) for shape in found), default=0)
        return [shape for shape in found if self._height_of(shape, _FUEL) == least]

    def check(self, shape: Shape) -> Callable[[Any], bool] | None:
        """Whether a value satisfies what drawing it by its type cannot warrant; None if nothing."""
        if not _CHECKED & shape.keys():
            return None
        if id(shape) not in self._checks:
            self._checks[id(shape)] = self._check(shape)
        return self._checks[id(shape)]

    def tag(self, shapes: list[Shape]) -> str | None:
        """The required field by whose constant these objects are told apart."""
        tags = [self._tags(shape) for shape in shapes]
        names = set.intersection(*map(set, tags)) if tags else set()
        for name in sorted(names):
            values = [value for each in tags for value in each[name]]
            if all(value not in values[:place] for place, value in enumerate(values)):
                return name
        return None

    def constants(self, shape: Shape, name: str) -> list[Any]:
        """The only values that a required field of an object may have."""
        return self._tags(shape)[name]

    def _read(self, node: Node) -> list[Shape]:
        if id(node) in self._begun:
            raise ConfigurationError("The schema refers to itself and says nothing else")
        if id(node) not in self._shapes:  # the node is kept, so that its id stays its own
            self._begun.add(id(node))
            self._shapes[id(node)] = (node, self._flatten(node))
            self._begun.discard(id(node))
        return self._shapes[id(node)][1]

    def _flatten(self, node: Node) -> list[Shape]:
        if isinstance(node, bool):
            return [{}] if node else []
        own = {word: node[word] for word in node if word not in _COMBINING | _NOTES}
        found = self._typed(own)
        parts = [self._resolve(node["$ref"])] if "$ref" in node else []
        for part in (*parts, *node.get("allOf", [])):
            found = self._both(found, self._read(part))
        if "anyOf" in node:
            found = self._both(found, [s for each in node["anyOf"] for s in self._read(each)])
        if "oneOf" in node:
            found = self._both(found, self._exclusive(node))
        return _listed_together(found)

    def _exclusive(self, node: Shape) -> list[Shape]:
        """Options of which only one may fit; where they overlap, that has to be checked."""
        tag = node.get("discriminator", {}).get("propertyName")
        named: list[Shape] = [{"required": [tag]}] if tag else [{}]
        options = [self._both(named, self._read(each)) for each in node["oneOf"]]
        found = [shape for shapes in options for shape in shapes]
        if all(are_apart(self, shape, found) for shape in found):
            return found
        return [{**shape, "oneOf": node["oneOf"]} for shape in found]

    def _both(self, some: list[Shape], others: list[Shape]) -> list[Shape]:
        pairs = (_merged(one, other) for one in some for other in others)
        return [shape for pair in pairs for shape in self._typed(pair)]

    def _typed(self, shape: Shape) -> list[Shape]:
        """The shape once for each type it names; an enumeration has only values that fit."""
        if "const" in shape:
            values = [shape["const"]]
            shape = {word: shape[word] for word in shape if word != "const"}
            shape = _merged(shape, {"enum": values})
        if "enum" in shape:
            fits = self._fits_listed(shape)
            values = [value for value in shape["enum"] if fits(value)]
            return [{"enum": values}] if values else []
        kinds = shape.get("type")
        if isinstance(kinds, list):
            return [{**shape, "type": kind} for kind in kinds]
        if kinds is not None and kinds not in _KINDS and kinds != "":
            raise ConfigurationError(f"The schema has the type {kinds!r}, which JSON has not")
        return [shape] if kinds != "" else []

    def _fits_listed(self, shape: Shape) -> Callable[[Any], bool]:
        """What a listed value must satisfy besides, the quick way where that is its type."""
        if shape.keys() - {"enum", "type"}:
            return self._check(shape)
        kinds = shape.get("type", list(_KINDS))
        kinds = [kinds] if isinstance(kinds, str) else kinds
        return lambda value: not _kinds_of(value).isdisjoint(kinds)

    def _check(self, shape: Shape) -> Callable[[Any], bool]:
        held: Shape = {word: self._root[word] for word in _DEFINITIONS & self._root.keys()}
        check = check_of({"type": "object", "properties": {"value": shape}, **held}, "The schema")

        def fits(value: Any) -> bool:
            try:
                check({"value": value})
            except InvalidArgumentsError:
                return False
            return True

        return fits

    def _resolve(self, reference: str) -> Node:
        found: Any = self._root
        try:
            for step in reference.removeprefix("#").split("/")[1:]:
                step = step.replace("~1", "/").replace("~0", "~")
                found = found[int(step) if isinstance(found, list) else step]
        except (KeyError, TypeError, ValueError, IndexError):
            raise ConfigurationError(f"The schema has no {reference}") from None
        node: Node = found
        return node

    def _height(self, node: Node, fuel: int) -> float:
        """Levels of the flattest value; endless where there is none."""
        key = (id(node), fuel)
        if key not in self._heights:
            heights = [self._height_of(shape, fuel) for shape in self._read(node)] if fuel else []
            self._heights[key] = min(heights, default=math.inf)
        return self._heights[key]

    def _height_of(self, shape: Shape, fuel: int) -> float:
        needed = (self._height(each, fuel - 1) for each in _needed(shape))
        return 1 + max(needed, default=0)

    def _tags(self, shape: Shape) -> dict[str, list[Any]]:
        properties = shape.get("properties", {})
        found = {}
        for name in shape.get("required", []):
            values = [each.get("enum") for each in self._read(properties.get(name, True))]
            if len(values) == 1 and values[0] is not None:
                found[name] = values[0]
        return found


def are_apart(document: Document, shape: Shape, others: Iterable[Shape]) -> bool:
    """Whether no value of the shape, however faulty within its type, fits one of the others."""
    kin = [each for each in others if each is not shape and _families(shape) & _families(each)]
    if not kin:
        return True
    return kind_of(shape) == "object" and document.tag([shape, *kin]) is not None


def types_of(shape: Shape) -> set[str]:
    """The types of the shape's values; all where it names none."""
    if "enum" in shape:
        return {kind for value in shape["enum"] for kind in _kinds_of(value)}
    return {shape["type"]} if "type" in shape else set(_KINDS)


def _kinds_of(value: Any) -> set[str]:
    return {kind for kind, types in _KINDS.items() if type(value) in types}


def _families(shape: Shape) -> set[str]:
    return {"number" if kind in _NUMBERS else kind for kind in types_of(shape)}


def _needed(shape: Shape) -> list[Node]:
    """The nodes of which every value of the shape holds one."""
    kind = kind_of(shape)
    if kind == "object":
        properties, rest = shape.get("properties", {}), shape.get("additionalProperties", True)
        return [properties.get(name, rest) for name in shape.get("required", [])]
    if kind == "array":
        prefix, least = shape.get("prefixItems", []), shape.get("minItems", 0)
        return [*prefix[:least], *[shape.get("items", True)] * (least > len(prefix))]
    return []


def _listed_together(shapes: list[Shape]) -> list[Shape]:
    """Several enumerations as one."""
    lists = [shape["enum"] for shape in shapes if "enum" in shape]
    if len(lists) < 2:
        return shapes
    values: list[Any] = []
    for value in (value for each in lists for value in each):
        if not any(value is known or _same(value, known) for known in values):
            values.append(value)
    return [{"enum": values}, *(shape for shape in shapes if "enum" not in shape)]


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _merged(one: Shape, other: Shape) -> Shape:
    """What satisfies both; words that cannot be made one are left to be checked."""
    shape = {**other, **one}
    unsettled = []
    for word in one.keys() & other.keys():
        if one[word] == other[word]:
            continue
        if word in _JOINED:
            shape[word] = _JOINED[word](one[word], other[word])
        elif not word.startswith("x-"):
            unsettled.append({word: other[word]})
    unsettled += [*_closing(one, other), *_closing(other, one)]
    if unsettled:
        shape["allOf"] = [*shape.get("allOf", []), *unsettled]
    return shape


def _closing(shape: Shape, other: Shape) -> list[Shape]:
    """What a shape says of fields that only the other names."""
    named = shape.get("properties", {})
    foreign = other.get("properties", {}).keys() - named.keys()
    if shape.get("additionalProperties", True) is True or not foreign:
        return []
    return [{word: shape[word] for word in ("properties", "additionalProperties") if word in shape}]


def _either_type(one: Any, other: Any) -> str:
    """The type that both are, or no name."""
    return "integer" if {one, other} == {"integer", "number"} else ""


def _both_nodes(one: Node, other: Node) -> Node:
    return {"allOf": [one, other]}


def _both_properties(one: Shape, other: Shape) -> Shape:
    shared = {name: _both_nodes(one[name], other[name]) for name in one.keys() & other.keys()}
    return {**one, **other, **shared}


_JOINED: dict[str, Callable[[Any, Any], Any]] = {
    **dict.fromkeys(("minimum", "exclusiveMinimum"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum"), min),
    **dict.fromkeys(("minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maxLength", "maxItems", "maxProperties"), min),
    **dict.fromkeys(("items", "additionalProperties", "propertyNames"), _both_nodes),
    "properties": _both_properties,
    "required": lambda one, other: list(dict.fromkeys([*one, *other])),
    "enum": lambda one, other: [value for value in one if value in other],
    "type": _either_type,
    "allOf": lambda one, other: [*one, *other],
}
