"""JSON Schemas as type hints; `with_trl/describe.py` tries any schema on `transformers` itself."""

from types import NoneType
from typing import Any, Literal

import pytest

from openenv_lite.trainers.hints import hint_of, inlined

POINT: dict[str, Any] = {"type": "object", "properties": {"x": {"type": "integer"}}}
TREE: dict[str, Any] = {"properties": {"left": {"$ref": "#/$defs/Tree"}}}


@pytest.mark.parametrize(
    ("schema", "kind", "unsaid"),
    [
        ({}, Any, {}),
        ({"type": "integer", "title": "Row"}, int, {}),
        ({"type": "number", "minimum": 1}, float, {"minimum": 1}),
        ({"type": "null"}, NoneType, {}),
        ({"type": ["string", "null"]}, str | None, {}),
        ({"type": "array", "items": {"type": "boolean"}}, list[bool], {}),
        ({"type": "array", "items": POINT}, list[dict], {"items": POINT}),  # type: ignore[type-arg]
        ({"type": "object", "additionalProperties": {"type": "string"}}, dict[str, str], {}),
        (POINT, dict, {"properties": POINT["properties"]}),
        ({"enum": ["a", 1, True, None]}, Literal["a", 1, True, None], {}),
        ({"enum": [[1]]}, Any, {"enum": [[1]]}),
        ({"const": "go"}, Literal["go"], {}),
        (
            {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": 1},
            int | None,
            {"default": 1},
        ),
        (
            {"oneOf": [POINT, {"type": "string"}]},
            dict | str,
            {"oneOf": [POINT, {"type": "string"}]},
        ),
        ({"anyOf": [{"type": "integer", "description": "Rows."}]}, int, ...),
        ({"anyOf": []}, Any, {"anyOf": []}),
        ({"type": []}, Any, {"type": []}),
        ({"type": "money"}, Any, {"type": "money"}),
        ({"items": True, "type": "array"}, list, {"items": True}),
    ],
)
def test_a_hint_says_what_it_can_and_tells_the_rest(schema: Any, kind: Any, unsaid: Any) -> None:
    hint = hint_of(schema)
    assert hint.type == kind
    assert hint.unsaid == (schema if unsaid is ... else unsaid)


def test_references_are_filled_in_and_a_type_within_itself_is_anything() -> None:
    within = {"type": "array", "items": {"$ref": "#/$defs/Point"}, "description": "Where."}
    assert inlined(within, {"Point": POINT}) == {**within, "items": POINT}
    assert inlined({"$ref": "#/$defs/Tree", "description": "All."}, {"Tree": TREE}) == {
        "properties": {"left": {}},
        "description": "All.",
    }
    assert inlined({"$ref": "#/$defs/Nothing"}, {}) == {}
    assert inlined({"properties": {"$ref": {"type": "string"}}}, {}) == {
        "properties": {"$ref": {"type": "string"}}
    }


def test_what_doubles_with_each_reference_or_is_too_deep_ends_as_anything() -> None:
    doubling: dict[str, Any] = {
        f"d{each}": {"anyOf": [{"$ref": f"#/$defs/d{each + 1}"}] * 2} for each in range(40)
    }
    assert hint_of(inlined({"$ref": "#/$defs/d0"}, doubling)).type is Any
    deep: Any = {"type": "string"}
    for _ in range(400):
        deep = {"type": "array", "items": deep}
    assert hint_of(inlined(deep, {})).type is not None


@pytest.mark.parametrize("odd", [{"enum": 5}, {"anyOf": 5}, {"type": [["x"]]}, {"type": {}}])
def test_what_is_no_json_schema_is_anything(odd: Any) -> None:
    assert hint_of(inlined(odd, {"d": True})).type is Any
