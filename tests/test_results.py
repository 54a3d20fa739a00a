import dataclasses
from typing import Any, TypedDict

import msgspec
import numpy as np
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite import Observation, codec
from openenv_lite.results import result_of
from tests.test_codec import JSON


class Board(Observation):
    cells: list[int] = []


class Renamed(Observation, rename="camel"):
    legal_moves: int = 1


class Tagged(Observation, tag="board"):
    cells: int = 1


class Sparse(Observation, omit_defaults=True):
    cells: int = 1
    absent: int | msgspec.UnsetType = msgspec.UNSET


@dataclasses.dataclass
class Plain:
    cells: int
    reward: float = 0.5
    done: bool = True


class Model(pydantic.BaseModel):
    cells: int = 1
    reward: float | None = 0.5
    done: bool = True
    metadata: dict[str, Any] = {}


class Keyed(TypedDict):
    cells: int


def sent(observation: Any) -> Any:
    return codec.parse(codec.encode(result_of(observation)))


@pytest.mark.parametrize(
    ("observation", "fields"),
    [
        (Board(cells=[1]), {"cells": [1], "metadata": {}}),
        (Observation(), {"metadata": {}}),
        (Renamed(), {"legalMoves": 1, "metadata": {}}),
        (Tagged(), {"type": "board", "cells": 1, "metadata": {}}),
        (Plain(cells=1), {"cells": 1}),
        (Model(), {"cells": 1, "metadata": {}}),
        (Keyed(cells=1), {"cells": 1}),
        ({}, {}),
    ],
    ids=repr,
)
def test_the_observation_keeps_its_own_fields(observation: Any, fields: Any) -> None:
    assert sent(observation)["observation"] == fields


def test_an_unset_field_is_not_sent() -> None:
    assert "absent" not in sent(Sparse())["observation"]


@pytest.mark.parametrize("kind", [Plain, Model])
def test_reward_and_done_move_to_the_envelope(kind: Any) -> None:
    result = sent(kind(cells=1))
    assert (result["reward"], result["done"]) == (0.5, True)


@given(st.none() | st.booleans() | st.integers() | st.floats(), st.booleans(), st.booleans(), JSON)
def test_the_envelope_is_the_same_for_structs_and_dicts(
    reward: Any, done: bool, truncated: bool, value: Any
) -> None:
    given_ = {"reward": reward, "done": done, "truncated": truncated, "metadata": {"a": value}}
    struct, plain = result_of(Board(**given_)), result_of({**given_, "cells": []})
    for result in (struct, plain):
        assert (result.done, result.truncated) == (done, truncated)
        assert result.metadata == {"a": value} or value != value or "nan" in repr(value)
        assert isinstance(result.reward, type(reward))


def test_metadata_is_left_out_of_the_envelope_when_empty() -> None:
    assert "metadata" not in sent(Board())
    assert sent(Board(metadata={"a": 1}))["metadata"] == {"a": 1}


def test_truncated_is_told_only_where_true() -> None:
    assert "truncated" not in sent(Board(done=True))
    assert sent(Board(done=True, truncated=True))["truncated"] is True


def test_numbers_of_numpy_are_sent_as_numbers() -> None:
    board = Board(reward=np.float32(0.5), done=np.bool_(True), cells=np.arange(2))  # type: ignore[arg-type]
    assert sent(board) == {
        "observation": {"cells": [0, 1], "metadata": {}},
        "reward": 0.5,
        "done": True,
    }


@pytest.mark.parametrize("returned", [None, 5, "text", [1], object(), iter([])])
def test_what_has_no_fields_is_refused(returned: Any) -> None:
    with pytest.raises((TypeError, NotImplementedError)):
        result_of(returned)


def test_the_authors_observation_is_not_changed() -> None:
    plain = {"cells": 1, "reward": 1.0, "done": True}
    result_of(plain)
    assert plain == {"cells": 1, "reward": 1.0, "done": True}
