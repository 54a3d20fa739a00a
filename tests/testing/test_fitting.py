from typing import Any

import pytest

from openenv_lite.testing.fitting import Fitting, whole
from openenv_lite.testing.sessions.seen import Seen

HEIGHT = {
    "type": "object",
    "properties": {"height": {"type": "integer"}, "reward": {"type": ["number", "null"]}},
    "required": ["height"],
}


def seen(observation: object) -> Seen:
    return Seen(observation, reward=1.0, done=False, truncated=False, metadata={})


def test_what_does_not_fit_is_told_with_its_place() -> None:
    fitting = Fitting({"observation": HEIGHT})
    assert fitting.faults("observation", {"height": 1}) == []
    faults = fitting.faults("observation", {"height": "1 m", "reward": "good"})
    assert [fault["loc"] for fault in faults] == [["height"], ["reward"]]


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (None, "there is no schema of the state"),
        ({"type": "objekt"}, "no valid JSON Schema"),
        ({"type": "object", "required": "height"}, "no valid JSON Schema"),
        ({"type": "object", "$ref": "https://example.org/state.json"}, "does not hold"),
    ],
)
def test_what_is_no_schema_is_told_as_such(schema: object, words: str) -> None:
    schemas: Any = {"state": schema}
    fitting = Fitting(schemas)
    assert words in (fitting.refusal("state") or "")


def test_a_value_need_not_be_an_object() -> None:
    fitting = Fitting({"action": {"type": "integer", "maximum": 3}})
    assert fitting.faults("action", 3) == []
    assert [fault["loc"] for fault in fitting.faults("action", 4)] == [[]]


def test_a_choice_among_classes_is_a_schema_too() -> None:
    fitting = Fitting(
        {"observation": {"anyOf": [{"$ref": "#/$defs/Height"}], "$defs": {"Height": HEIGHT}}}
    )
    assert fitting.refusal("observation") is None
    assert fitting.faults("observation", {}) != []


@pytest.mark.parametrize(
    "schema",
    [
        HEIGHT,
        {"$ref": "#/$defs/Height", "$defs": {"Height": HEIGHT}},
        {"anyOf": [{"type": "object"}, HEIGHT]},
    ],
)
def test_only_what_the_schema_names_is_put_beside_the_observation(schema: object) -> None:
    assert isinstance(schema, dict)
    assert whole(seen({"height": 2}), schema) == {"height": 2, "reward": 1.0}
