import dataclasses
import datetime
import enum
import json
from typing import Annotated, Any, Literal, TypedDict

import msgspec
import numpy as np
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite import Action, Observation, State, codec
from openenv_lite.errors import InvalidJSONError, InvalidMessageError

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.floats()
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
BROKEN = [
    b"",
    b" ",
    b"{",
    b'{"a":}',
    b"[1,]",
    b"NaN",
    b"Infinity",
    b"1e999",
    b"1" * 5000,
    b"\xff\xfe",
    b'"\xff"',
    b'["\xc3\x28"]',
    b"\xef\xbb\xbf{}",
    b'"\\ud800"',
    b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 100_000,
    b'"' + b"a" * 1_000_000,
]


class Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


class Point(msgspec.Struct, forbid_unknown_fields=True):
    x: int
    y: float = 0.0


class Everything(Action):
    number: int = 0
    ratio: float = 0.0
    flag: bool = False
    text: Annotated[str, msgspec.Meta(max_length=5)] = ""
    raw: bytes = b""
    numbers: list[int] = []
    names: dict[int, str] = {}
    when: datetime.datetime | None = None
    colour: Colour = Colour.RED
    choice: Literal["a", "b"] = "a"
    point: Point | None = None
    points: list[Point] = []


@dataclasses.dataclass
class Plain:
    x: int
    y: str = ""


class Keyed(TypedDict):
    x: int


class Inner(pydantic.BaseModel):
    x: int


class Model(pydantic.BaseModel):
    inner: Inner
    y: int = pydantic.Field(default=0, ge=0)


class Branch(pydantic.BaseModel):
    branches: "list[Branch]" = []


class Holder(Action):
    model: Model


class Tree(msgspec.Struct):
    children: list["Tree"] = []


KINDS = [Point, Everything, Plain, Keyed, Model, Holder, Tree, int, dict[str, int], Any]
HOSTILE = st.one_of(
    JSON,
    st.fixed_dictionaries({}, optional=dict.fromkeys(Everything.__struct_fields__, JSON)),
    st.fixed_dictionaries({}, optional={"x": JSON, "y": JSON, "inner": JSON, "model": JSON}),
)


@given(st.binary() | st.text())
def test_parse_knows_two_outcomes_for_any_text(text: str | bytes) -> None:
    try:
        codec.parse(text)
    except InvalidJSONError as error:
        assert error.message.startswith("Invalid JSON: ")


@pytest.mark.parametrize("text", BROKEN, ids=lambda text: repr(text[:12]))
def test_broken_text_is_a_typed_error_for_every_kind(text: bytes) -> None:
    with pytest.raises(InvalidJSONError):
        codec.parse(text)
    for kind in KINDS:
        with pytest.raises((InvalidJSONError, InvalidMessageError)):
            codec.Decoder(kind).decode(text)


@given(st.sampled_from(KINDS), HOSTILE)
def test_a_value_fits_or_is_refused_with_faults_that_can_be_sent(kind: Any, value: Any) -> None:
    try:
        codec.convert(value, kind)
    except InvalidMessageError as error:
        assert error.errors
        for each in error.errors:
            assert {"type", "loc", "msg", "input"} <= each.keys()
        codec.encode(error.details)


@given(st.sampled_from(KINDS), HOSTILE)
def test_the_decoder_and_the_converter_agree(kind: Any, value: Any) -> None:
    text = json.dumps(value, allow_nan=True)
    try:
        plain = codec.parse(text)
        decoded = codec.Decoder(kind).decode(text)
    except InvalidJSONError:
        return
    except InvalidMessageError:
        with pytest.raises(InvalidMessageError):
            codec.convert(plain, kind)
    else:
        assert codec.encode(codec.convert(plain, kind)) == codec.encode(decoded)


@given(st.text().filter(lambda name: name not in ("x", "y")))
def test_an_unknown_field_is_named_whatever_its_name(name: str) -> None:
    with pytest.raises(InvalidMessageError) as caught:
        codec.convert({"x": 1, name: 2}, Point)
    (fault,) = caught.value.errors
    assert (fault["type"], fault["loc"], fault["input"]) == ("extra_forbidden", [name[:100]], 2)


@pytest.mark.parametrize(
    ("value", "kind", "place"),
    [
        ({"number": "a"}, "int_parsing", ["number"]),
        ({"number": 1.5}, "int_from_float", ["number"]),
        ({"number": []}, "int_type", ["number"]),
        ({"ratio": "a"}, "float_parsing", ["ratio"]),
        ({"flag": "perhaps"}, "bool_parsing", ["flag"]),
        ({"text": 1}, "string_type", ["text"]),
        ({"text": "long text"}, "string_too_long", ["text"]),
        ({"numbers": {}}, "list_type", ["numbers"]),
        ({"numbers": [1, "a"]}, "int_parsing", ["numbers", 1]),
        ({"names": []}, "dict_type", ["names"]),
        ({"point": {}}, "missing", ["point", "x"]),
        ({"points": [{"x": 1}, {"x": 1, "z": 2}]}, "extra_forbidden", ["points", 1, "z"]),
        ({"metadata": []}, "dict_type", ["metadata"]),
        ({"unknown": 1}, "extra_forbidden", ["unknown"]),
        ([], "dict_type", []),
    ],
)
def test_a_fault_says_what_and_where(value: Any, kind: str, place: list[str | int]) -> None:
    with pytest.raises(InvalidMessageError) as caught:
        codec.convert(value, Everything)
    (fault,) = caught.value.errors
    assert (fault["type"], fault["loc"]) == (kind, place)


def test_a_missing_field_shows_the_object_it_is_missing_from() -> None:
    with pytest.raises(InvalidMessageError) as caught:
        codec.convert({"point": {"y": 1}}, Everything)
    assert caught.value.errors[0]["input"] == {"y": 1}


def test_faults_of_a_model_carry_the_path_to_it() -> None:
    with pytest.raises(InvalidMessageError) as caught:
        codec.convert({"model": {"inner": {"x": "a"}, "y": -1}}, Holder)
    places = [each["loc"] for each in caught.value.errors]
    assert places == [["model", "inner", "x"], ["model", "y"]]


@pytest.mark.parametrize(("given", "number"), [("5", 5), (5.0, 5), (5, 5)])
def test_numbers_are_read_as_laxly_as_openenv_reads_them(given: Any, number: int) -> None:
    assert codec.convert({"number": given}, Everything).number == number
    assert codec.Decoder(Everything).decode(json.dumps({"number": given})).number == number


@given(JSON)
def test_what_is_encoded_can_be_parsed(value: Any) -> None:
    codec.parse(codec.encode(value))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (float("nan"), b"null"),
        (float("inf"), b"null"),
        (np.float32(0.5), b"0.5"),
        (np.arange(3), b"[0,1,2]"),
        (np.bool_(True), b"true"),
        (Model(inner=Inner(x=1)), b'{"inner":{"x":1},"y":0}'),
        (Plain(x=1), b'{"x":1,"y":""}'),
        (Colour.RED, b'"red"'),
    ],
    ids=repr,
)
def test_values_of_authors_become_json(value: Any, text: bytes) -> None:
    assert codec.encode(value) == text


def test_what_cannot_be_sent_says_what_can() -> None:
    with pytest.raises(
        NotImplementedError, match=r"object cannot be sent as JSON; return a number"
    ):
        codec.encode(object())


@pytest.mark.parametrize(
    "kind", [Point, Everything, Plain, Model, Holder, Tree, State, Observation]
)
def test_a_schema_is_an_object_at_its_top_and_every_reference_resolves(kind: Any) -> None:
    schema = codec.json_schema(kind)
    assert schema["type"] == "object"
    assert "properties" in schema
    for reference in _references(schema):
        assert reference.removeprefix("#/$defs/") in schema["$defs"], reference


@pytest.mark.parametrize("kind", [list[Branch], dict[str, Branch]])
def test_references_of_a_list_of_models_resolve(kind: Any) -> None:
    schema = codec.json_schema(kind)
    assert _references(schema)
    for reference in _references(schema):
        assert reference.removeprefix("#/$defs/") in schema["$defs"], reference


def test_the_tag_of_a_type_is_of_its_own_kind_in_the_schema() -> None:
    tagged = codec.json_schema(msgspec.defstruct("Tagged", [], tag=5))
    assert tagged["properties"]["type"] == {"type": "integer", "const": 5, "default": 5}


@pytest.mark.parametrize(("kind", "open_"), [(Action, False), (Observation, False), (State, True)])
def test_a_schema_says_whether_further_fields_are_taken(kind: Any, open_: bool) -> None:
    assert codec.json_schema(kind)["additionalProperties"] is open_


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [found for each in schema for found in _references(each)]
    if not isinstance(schema, dict):
        return []
    inner = [found for each in schema.values() for found in _references(each)]
    return inner + ([schema["$ref"]] if isinstance(schema.get("$ref"), str) else [])
