"""Random values of a JSON Schema: always valid, the same for the same generator."""

import random
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from openenv_lite import codec
from openenv_lite.cli.sampling import Sampler
from openenv_lite.errors import ConfigurationError
from openenv_lite.types import Action


class Leaf(msgspec.Struct, forbid_unknown_fields=True):
    weight: Annotated[float, Meta(gt=0, lt=1e-3)]


class Tree(msgspec.Struct, forbid_unknown_fields=True):
    children: list["Tree | None"]
    leaf: Leaf | None = None
    rest: dict[str, int] = {}


class Move(Action):
    kind: Literal["up", "down"]
    amount: Annotated[int, Meta(gt=3, le=5)]
    note: Annotated[str, Meta(min_length=2, max_length=3, pattern="^[xyz]*$")] = "xx"


TYPES: list[Any] = [
    int,
    bool,
    str,
    None,
    float,
    int | None,
    Literal[3, 4],
    Annotated[int, Meta(le=-100)],
    Annotated[float, Meta(ge=-1.7e308, le=1.7e308)],
    Annotated[str, Meta(max_length=0)],
    Annotated[list[bool], Meta(min_length=3, max_length=4)],
    tuple[int, Annotated[str, Meta(min_length=30)]],
    Leaf,
    Tree,
    Move,
]


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_what_is_drawn_fits_the_type(kind: Any) -> None:
    sampler = Sampler(codec.json_schema(kind))
    drawn = [sampler.draw(random.Random(seed)) for seed in range(200)]
    for value in drawn:
        msgspec.convert(value, kind)
    assert drawn == [sampler.draw(random.Random(seed)) for seed in range(200)]


def test_every_choice_is_drawn_sooner_or_later() -> None:
    sampler, rng = Sampler(codec.json_schema(Move)), random.Random(0)
    drawn = [sampler.draw(rng) for _ in range(200)]
    assert {value["kind"] for value in drawn} == {"up", "down"}
    assert {value["amount"] for value in drawn} == {4, 5}
    assert {"note" in value for value in drawn} == {True, False}
    assert not any("metadata" in value for value in drawn)


def test_of_words_listed_by_a_pattern_each_is_drawn() -> None:
    sampler, rng = Sampler({"type": "string", "pattern": "^(reveal|flag)$"}), random.Random(0)
    assert {sampler.draw(rng) for _ in range(50)} == {"reveal", "flag"}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^[a-z]+, the end$"},
        {"type": "picture"},
        {"$ref": "#/$defs/Nowhere"},
    ],
)
def test_what_cannot_be_drawn_is_told(schema: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Sampler(schema).draw(random.Random(0))
