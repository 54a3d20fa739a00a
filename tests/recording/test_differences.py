"""Where two JSON values differ first."""

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite.recording.differences import ABSENT, first_difference

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("expected", "got", "path", "values"),
    [
        ({"a": {"b": [1, 2, {"c": 3}]}}, {"a": {"b": [1, 2, {"c": 4}]}}, "a.b[2].c", (3, 4)),
        ([1], [1, 2], "[1]", (ABSENT, 2)),
        ([1, 2], [1], "[1]", (2, ABSENT)),
        ({"a": 1}, {}, "a", (1, ABSENT)),
        ({}, {"a": 1}, "a", (ABSENT, 1)),
        ({"x": {"a b": 1, "9": 2}}, {"x": {"a b": 1, "9": 3}}, "x['9']", (2, 3)),
        ({"a": True}, {"a": 1}, "a", (True, 1)),
        ({"a": 0}, {"a": False}, "a", (0, False)),
        ({"a": None}, {"a": 0}, "a", (None, 0)),
        ({"a": []}, {"a": {}}, "a", ([], {})),
        ({"a": "1"}, {"a": 1}, "a", ("1", 1)),
        (1, 2, "", (1, 2)),
    ],
)
def test_the_place_and_both_values_are_told(
    expected: Any, got: Any, path: str, values: tuple[Any, Any]
) -> None:
    found = first_difference(expected, got)
    assert found is not None
    assert found.path == path
    assert (found.expected, found.got) == values
    assert [type(each) for each in found[1:]] == [type(each) for each in values]


@pytest.mark.parametrize("number", [0, 1, -7, 2**53])
def test_a_number_is_its_value_however_it_is_written(number: int) -> None:
    assert first_difference({"a": number}, {"a": float(number)}) is None


@given(JSON)
def test_a_value_does_not_differ_from_itself_nor_from_what_the_wire_makes_of_it(value: Any) -> None:
    assert first_difference(value, copy.deepcopy(value)) is None
    sent = msgspec.json.decode(msgspec.json.encode(value))
    assert first_difference(value, sent) is None


@given(JSON, JSON)
def test_there_is_a_difference_if_and_only_if_their_texts_differ(one: Any, other: Any) -> None:
    texts = [msgspec.json.encode(each, order="sorted") for each in (numbers(one), numbers(other))]
    assert (first_difference(one, other) is None) == (texts[0] == texts[1])


def numbers(value: Any) -> Any:
    """All numbers as floats where nothing is lost by it."""
    if isinstance(value, list):
        return [numbers(each) for each in value]
    if isinstance(value, dict):
        return {key: numbers(each) for key, each in value.items()}
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**60:
        return int(value)
    return value
