"""Values drawn from schemas, held against `jsonschema` and against what decodes them."""

import dataclasses
import datetime
import decimal
import enum
import itertools
import json
import math
import types
import unicodedata
import uuid
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import jsonschema  # type: ignore[import-untyped]
import msgspec
import numpy as np
import pydantic
import pytest
from gym_env.server.spaces import translate
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject
from msgspec import Meta

from openenv_lite import codec
from openenv_lite.errors import ConfigurationError, InvalidArgumentsError, InvalidMessageError
from openenv_lite.testing.strategies import invalid, valid
from openenv_lite.tools import Tool
from openenv_lite.types import Action, CallToolAction, State
from tests.envs.medley import ACTIONS


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Leaf(msgspec.Struct, forbid_unknown_fields=True):
    weight: Annotated[float, Meta(gt=0, lt=1e-3)]


class Tree(msgspec.Struct, forbid_unknown_fields=True):
    children: list["Tree | None"]
    leaf: Leaf | None = None
    rest: dict[str, int] = {}


class Number(msgspec.Struct, tag="number", forbid_unknown_fields=True):
    value: int


class Sum(msgspec.Struct, tag="sum", forbid_unknown_fields=True):
    left: "Number | Sum"
    right: "Number | Sum"


class Move(Action):
    kind: Literal["up", "down"]
    amount: Annotated[int, Meta(gt=3, le=5)]
    note: Annotated[str, Meta(min_length=2, max_length=3, pattern="^[xyz]*$")] = "xx"
    colour: Colour = Colour.RED


class Calculate(Action, tag="calculate"):
    term: Number | Sum


@dataclasses.dataclass
class Point:
    x: Annotated[float, Meta(ge=-1, le=1)]
    y: float = 0.0


class Options(TypedDict):
    name: str
    size: NotRequired[Annotated[int, Meta(ge=1, multiple_of=3)]]


class Walk(pydantic.BaseModel):
    kind: Literal["walk"]
    steps: int = pydantic.Field(gt=3, lt=9)


class Rest(pydantic.BaseModel):
    kind: Literal["rest"] = "rest"
    places: set[int] = pydantic.Field(min_length=2, max_length=4)


class Plan(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    first: Annotated[Walk | Rest, pydantic.Field(discriminator="kind")]
    start: datetime.datetime
    took: datetime.timedelta
    colour: Colour
    identity: uuid.UUID
    limit: Annotated[float, pydantic.Field(ge=0)] | None = None
    then: list["Plan"] = []
    counts: dict[int, int] = {}
    pair: tuple[int, str] = (1, "a")


TYPES: list[Any] = [
    int,
    bool,
    str,
    None,
    float,
    bytes,
    datetime.date,
    datetime.timedelta,
    decimal.Decimal,
    uuid.UUID,
    int | None,
    int | str | None,
    float | bool,
    Literal[3, 4],
    Literal["a", 1, None],
    Colour,
    Annotated[int, Meta(le=-100)],
    Annotated[int, Meta(ge=2**62)],
    Annotated[int, Meta(multiple_of=7, ge=-20, le=20)],
    Annotated[float, Meta(ge=-1.7e308, le=1.7e308)],
    Annotated[float, Meta(gt=0.1, lt=0.2)],
    Annotated[float, Meta(multiple_of=0.25, gt=0, lt=1)],
    Annotated[str, Meta(max_length=0)],
    Annotated[str, Meta(pattern=r"^[a-z]+-\d{2}$")],
    Annotated[str, Meta(pattern="^[ab]*$", min_length=20, max_length=22)],
    Annotated[bytes, Meta(min_length=2, max_length=10)],
    Annotated[list[bool], Meta(min_length=3, max_length=4)],
    Annotated[dict[str, int], Meta(min_length=1, max_length=2)],
    Annotated[set[int], Meta(min_length=2, max_length=3)],
    dict[Annotated[str, Meta(min_length=2, pattern="^a")], int],
    dict[int, bool],
    tuple[int, Annotated[str, Meta(min_length=30)]],
    tuple[int, ...],
    list[list[list[int]]],
    Leaf,
    Tree,
    Move,
    Number | Sum,
    Calculate,
    CallToolAction,
    State,
    Point,
    Options,
    Plan,
]

quickly = settings(max_examples=50, deadline=None)


def fits(value: Any, schema: dict[str, Any]) -> bool:
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


def assert_decodes(value: Any, kind: Any) -> None:
    codec.convert(value, kind)
    codec.Decoder(kind).decode(codec.encode(value))


def assert_refused(value: Any, kind: Any) -> None:
    with pytest.raises(InvalidMessageError):
        codec.convert(value, kind)
    with pytest.raises(InvalidMessageError):
        codec.Decoder(kind).decode(codec.encode(value))


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_what_is_drawn_fits_schema_and_type(kind: Any) -> None:
    schema = codec.json_schema(kind)

    @quickly
    @given(valid(schema))
    def check(value: Any) -> None:
        assert fits(value, schema)
        assert_decodes(value, kind)

    check()


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_what_is_faulty_fits_neither(kind: Any) -> None:
    schema = codec.json_schema(kind)
    faulty = invalid(schema)
    assert faulty is not None

    @quickly
    @given(faulty)
    def check(drawn: tuple[Any, str]) -> None:
        value, words = drawn
        assert words
        assert not fits(value, schema)
        assert_refused(value, kind)

    check()


LEAVES: list[Any] = [
    int, float, bool, str, None, bytes, Colour, Literal["a", "b"], Literal[1, 5], int | None,
    int | str, Leaf, Tree, Number | Sum, Annotated[int, Meta(ge=0)], Annotated[int, Meta(lt=-3)],
    Annotated[float, Meta(gt=0, le=1)], Annotated[str, Meta(min_length=1, max_length=4)],
    Annotated[str, Meta(pattern="^[a-c]+$")], Options, Point,
]  # fmt: skip


def containers(kinds: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    limits = st.sampled_from([Meta(), Meta(min_length=1), Meta(min_length=2, max_length=3)])
    several = st.lists(kinds, min_size=1, max_size=3)
    return st.one_of(
        st.builds(
            lambda kind, limit: Annotated[types.GenericAlias(list, kind), limit], kinds, limits
        ),
        several.map(lambda each: types.GenericAlias(tuple, tuple(each))),
        kinds.map(lambda kind: types.GenericAlias(dict, (str, kind))),
        structs(kinds),
    )


counted = itertools.count()
"""For the names of types, which tell one from another in a schema."""


@st.composite
def structs(draw: Any, kinds: st.SearchStrategy[Any]) -> Any:
    names = draw(st.lists(st.sampled_from("abcdef"), max_size=4, unique=True))
    fields = [
        (name, draw(kinds)) if draw(st.booleans()) else (name, draw(kinds), None) for name in names
    ]
    base = draw(st.sampled_from([msgspec.Struct, Action]))
    options = {"kw_only": True, "forbid_unknown_fields": draw(st.booleans())}
    return msgspec.defstruct(f"Drawn{next(counted)}", fields, bases=(base,), **options)


KINDS = structs(st.recursive(st.sampled_from(LEAVES), containers, max_leaves=4))


@settings(max_examples=150, deadline=None)
@given(KINDS, st.data())
def test_any_struct_at_all(kind: Any, data: DataObject) -> None:
    schema = codec.json_schema(kind)
    drawn = valid(schema)
    for _ in range(3):
        value = data.draw(drawn)
        assert fits(value, schema)
        assert_decodes(value, kind)
    faulty = invalid(schema)
    assert faulty is not None
    for _ in range(3):
        value, words = data.draw(faulty)
        assert words
        assert not fits(value, schema)
        assert_refused(value, kind)


SCHEMAS: dict[str, dict[str, Any]] = {
    "reference with neighbours": {
        "$ref": "#/$defs/many",
        "maximum": 9,
        "$defs": {"many": {"type": "integer", "minimum": 5}},
    },
    "reference to the root": {
        "type": "object",
        "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}, "n": {"const": 1}},
        "required": ["next"],
        "additionalProperties": False,
    },
    "escaped reference": {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "null"}}},
    "all of": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"a": {"minimum": 3}, "b": {"type": "string"}}, "required": ["b"]},
        ],
        "additionalProperties": True,
    },
    "all of, closed twice": {
        "allOf": [
            {"type": "object", "properties": {"a": {}, "c": {}}, "additionalProperties": False},
            {"type": "object", "properties": {"b": {}, "c": {}}, "additionalProperties": False},
        ]
    },
    "any of, beside others": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "additionalProperties": False,
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
    },
    "one of, overlapping": {"oneOf": [{"type": "integer"}, {"type": "number", "minimum": 2}]},
    "type list": {"type": ["integer", "null", "string"], "minimum": 2, "maxLength": 1},
    "not": {"type": "integer", "minimum": 0, "maximum": 9, "not": {"const": 4}},
    "if": {
        "type": "object",
        "properties": {"kind": {"enum": ["a", "b"]}, "more": {"type": "integer"}},
        "required": ["kind"],
        "if": {"properties": {"kind": {"const": "a"}}},
        "then": {"required": ["more"]},
    },
    "open tuple": {"type": "array", "prefixItems": [{"type": "integer"}], "items": {"const": "x"}},
    "unique": {"type": "array", "items": {"enum": [1, 2, 3]}, "uniqueItems": True, "minItems": 2},
    "impossible field": {"type": "object", "properties": {"never": False, "ever": True}},
    "least fields": {"type": "object", "minProperties": 2, "maxProperties": 3},
    "least fields, some named": {
        "type": "object",
        "properties": {"a": {"type": "null"}, "b": {"type": "null"}, "c": {"type": "null"}},
        "additionalProperties": False,
        "minProperties": 2,
    },
    "patterns of fields": {
        "type": "object",
        "patternProperties": {"^[a-m]": {"type": "integer"}},
        "additionalProperties": {"type": "string"},
    },
    "untyped": {"properties": {"a": {"minLength": 2}}, "required": ["a"]},
    "pattern anywhere": {"type": "string", "pattern": r"\d[a-z]\d", "minLength": 5},
    "forms": {
        "type": "array",
        "prefixItems": [
            {"type": "string", "format": name}
            for name in ("date-time", "date", "time", "email", "uri", "ipv4", "ipv6", "hostname")
        ],
        "minItems": 8,
    },
    "many objects": {
        "type": "array",
        "items": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        "minItems": 500,
    },
    "any value": {"type": "object", "properties": {"a": {}, "b": True}, "required": ["a", "b"]},
}
CHECKED = pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)


@CHECKED
def test_what_is_drawn_fits_a_schema_that_somebody_wrote(schema: dict[str, Any]) -> None:
    @quickly
    @given(valid(schema))
    def check(value: Any) -> None:
        checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
        jsonschema.Draft202012Validator(schema, format_checker=checker).validate(value)

    check()


@CHECKED
def test_what_is_faulty_does_not(schema: dict[str, Any]) -> None:
    faulty = invalid(schema)
    assert faulty is not None

    @quickly
    @given(faulty)
    def check(drawn: tuple[Any, str]) -> None:
        assert not fits(drawn[0], schema), drawn[1]

    check()


@pytest.mark.parametrize("schema", [{}, {"title": "Whatever"}, {"anyOf": [{}, {"type": "null"}]}])
def test_where_everything_is_allowed_nothing_is_faulty(schema: dict[str, Any]) -> None:
    assert invalid(schema) is None


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 3, "allOf": [{"type": "string"}]}, "No value"),
        ({"$ref": "#/$defs/no"}, "has no #/\\$defs/no"),
        ({"type": "picture"}, "picture"),
        ({"type": "string", "pattern": "("}, "pattern"),
        ({"$defs": {"A": {"type": "array", "items": {"$ref": "#/$defs/A"}, "minItems": 1}},
          "$ref": "#/$defs/A"}, "No value"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_told(schema: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        valid(schema)


def drawn_from(strategy: st.SearchStrategy[Any], count: int = 300) -> list[Any]:
    found: list[Any] = []

    @settings(max_examples=count, deadline=None, database=None, derandomize=True)
    @given(strategy)
    def collect(value: Any) -> None:
        found.append(value)

    collect()
    return found


def test_every_choice_is_drawn_but_an_actions_metadata_never() -> None:
    drawn = drawn_from(valid(codec.json_schema(Move)))
    assert {value["kind"] for value in drawn} == {"up", "down"}
    assert {value["amount"] for value in drawn} == {4, 5}
    assert {value.get("colour") for value in drawn} == {None, "red", "blue"}
    assert not any("metadata" in value for value in drawn)


def test_every_fault_is_named() -> None:
    faulty = invalid(codec.json_schema(Move))
    assert faulty is not None
    words = {words for _, words in drawn_from(faulty, 600)}
    assert words >= {
        "of the wrong type: array",
        "missing field 'kind'",
        "unknown field 'unexpected'",
        "kind: not one of the values allowed",
        "amount: not above 3",
        "amount: above the greatest number, 5",
        "note: shorter than 2 letters",
        "note: longer than 3 letters",
        "note: does not match '^[xyz]*$'",
        "metadata: of the wrong type: null",
    }


@pytest.mark.parametrize(
    ("kind", "least"),
    [
        (int, 0),
        (Annotated[int, Meta(ge=5)], 5),
        (float, 0.0),
        (str, ""),
        (list[int], []),
        (int | None, None),
        (Tree, {"children": []}),
        (Calculate, {"term": {"type": "number", "value": 0}}),
    ],
)
def test_the_simplest_is_what_shrinking_ends_at(kind: Any, least: Any) -> None:
    seen: list[Any] = []

    @settings(max_examples=50, deadline=None, database=None, report_multiple_bugs=False)
    @given(valid(codec.json_schema(kind)))
    def fail(value: Any) -> None:
        seen.append(value)
        raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert seen[-1] == least


def test_a_failure_shows_the_value_and_not_how_it_was_made() -> None:
    schema = {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1}

    @settings(max_examples=5, deadline=None, database=None)
    @given(valid(schema))
    def fail(value: Any) -> None:
        raise LookupError

    with pytest.raises(LookupError) as caught:
        fail()
    notes = "".join(caught.value.__notes__)
    assert "{'0': 0}" in notes
    assert "lambda" not in notes


def every_number(value: Any) -> list[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for each in value for number in every_number(each)]
    return [value] if isinstance(value, int | float) else []


def test_numbers_without_bounds_are_moderate() -> None:
    for value in drawn_from(valid(codec.json_schema(tuple[int, float, list[float]]))):
        assert all(abs(number) <= 1000 for number in every_number(value))
        assert all(number == 0 or abs(number) > 1e-5 for number in every_number(value))


def test_the_end_of_a_pattern_lets_no_newline_follow() -> None:
    """Pydantic's and JSON Schema's `$` do not, while Python's does."""

    @quickly
    @given(valid({"type": "string", "pattern": "^(reveal|flag)$"}))
    def check(value: str) -> None:
        assert value in ("reveal", "flag")

    check()


def test_texts_are_short_and_can_be_sent() -> None:
    for text in drawn_from(valid({"type": "string"})):
        assert len(text.encode()) <= 40
        assert not {unicodedata.category(letter) for letter in text} & {"Cc", "Cs", "Co", "Cn"}


SPACES: list[spaces.Space[Any]] = [
    ACTIONS,
    spaces.Box(0, 255, (84, 84, 3), np.uint8),
    spaces.Box(-math.inf, math.inf, (2000,), np.float16),
    spaces.Box(-(2**0.5), 2**0.5, (3,), np.float32),
    spaces.Box(np.arange(400.0), np.arange(400.0) + 1, dtype=np.float64),
    spaces.MultiDiscrete(np.arange(3, 83).reshape(4, 20)),
    spaces.MultiBinary((30, 30)),
    spaces.Tuple([spaces.Box(-1, 1, (70,)), spaces.Discrete(3)]),
]


@pytest.mark.parametrize("space", SPACES, ids=lambda space: str(space)[:40])
def test_large_spaces_are_drawn_whole(space: spaces.Space[Any]) -> None:
    translation = translate(space, "Space")
    schema = codec.json_schema(translation.kind)

    @settings(max_examples=20, deadline=None)
    @given(valid(schema))
    def check(value: Any) -> None:
        typed = codec.Decoder(translation.kind).decode(codec.encode(value))
        assert translation.to_gym(typed) in space

    check()
    drawn = drawn_from(valid(schema), 20)
    assert len({json.dumps(each) for each in drawn}) > 10
    faulty = invalid(schema)
    assert faulty is not None

    @settings(max_examples=20, deadline=None)
    @given(faulty)
    def check_faults(drawn: tuple[Any, str]) -> None:
        assert_refused(drawn[0], translation.kind)

    check_faults()


def test_parts_of_a_large_array_are_objects_of_their_own() -> None:
    for value in drawn_from(valid(SCHEMAS["many objects"]), 5):
        assert len({id(each) for each in value}) == 500


def search(
    query: str,
    tree: Tree,
    limit: Annotated[int, Meta(ge=1, le=50)] = 10,
    kinds: list[Literal["web", "news"]] | None = None,
    **further: Any,
) -> str:
    """Search."""
    return query


def move(point: Point, options: Options, *, plan: Plan | None = None) -> None:
    """Move."""


@pytest.mark.parametrize("function", [search, move], ids=lambda function: function.__name__)
def test_tools_take_what_is_drawn_and_refuse_what_is_faulty(function: Any) -> None:
    tool = Tool(function)
    faulty = invalid(tool.spec.input_schema)
    assert faulty is not None

    @quickly
    @given(valid(tool.spec.input_schema), faulty)
    def check(arguments: Any, drawn: tuple[Any, str]) -> None:
        tool.signature.bind(arguments)
        if isinstance(drawn[0], dict):
            with pytest.raises(InvalidArgumentsError):
                tool.signature.bind(drawn[0])

    check()


def test_many_types_that_refer_to_each_other_take_no_long_time() -> None:
    names = [f"T{n}" for n in range(12)]
    every = {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in names]}
    parts = {"left": every, "right": every}
    definitions = {
        name: {
            "type": "object",
            "properties": {"tag": {"const": name}, **(parts if name != "T0" else {})},
            "required": ["tag", *(parts if name != "T0" else [])],
            "additionalProperties": False,
        }
        for name in names
    }
    schema = {**every, "$defs": definitions}  # `jsonschema` itself would take 12 ** depth looks
    assert {value["tag"] for value in drawn_from(valid(schema), 30)} <= set(names)
    faulty = invalid(schema)
    assert faulty is not None
    words = {words.rpartition(": ")[2] for _, words in drawn_from(faulty, 100)}
    assert {"missing field 'tag'", "not one of the values allowed"} <= words
