"""Schemas as spaces: what `gym_env` tells comes back whole, and an author's own types have one."""

from typing import Annotated, Any

import gymnasium as gym
import msgspec
import numpy as np
import pytest
from gym_env.server.spaces import translate
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from openenv_lite import codec
from openenv_lite.errors import ConfigurationError
from openenv_lite.gym import space_of
from tests.envs.medley import ACTIONS

DTYPES = st.sampled_from(["float32", "float64", "uint8", "int16", "int64"])
LIMIT = st.one_of(st.none(), st.integers(0, 100))


@st.composite
def boxes(draw: st.DrawFn) -> spaces.Box:
    dtype = np.dtype(draw(DTYPES))
    shape = tuple(draw(st.lists(st.integers(1, 3), max_size=3)))
    count = int(np.prod(shape))
    least, most = (0, 100) if dtype.kind in "ui" else (-np.inf, np.inf)

    def bounds(otherwise: float, sign: int) -> Any:
        given = draw(st.lists(LIMIT, min_size=count, max_size=count))
        listed = [otherwise if each is None else sign * each for each in given]
        return np.array(listed, np.float64).clip(least, most).reshape(shape).astype(dtype)

    low, high = bounds(least, -1), bounds(most, 1)
    return spaces.Box(low, high, shape, dtype.type)


LEAVES: Any = st.one_of(
    boxes(),
    st.builds(
        lambda n, first: spaces.Discrete(n, start=first), st.integers(1, 9), st.integers(-5, 5)
    ),
    st.builds(spaces.MultiBinary, st.one_of(st.integers(1, 4), st.just([2, 3]))),
    st.builds(spaces.MultiDiscrete, st.lists(st.integers(1, 9), min_size=1, max_size=3)),
    st.builds(lambda most: spaces.Text(most, min_length=0, charset="a]^-\\"), st.integers(1, 5)),
)
SPACES = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        st.lists(parts, min_size=1, max_size=3).map(spaces.Tuple),
        st.dictionaries(st.text("ab?", min_size=1), parts, min_size=1, max_size=3).map(spaces.Dict),
    ),
    max_leaves=4,
)


@given(SPACES, st.booleans())
def test_a_space_that_gym_env_tells_comes_back_whole(space: Any, as_arrays: bool) -> None:
    told = codec.json_schema(translate(space, "Space", as_arrays).kind)
    assert space_of(msgspec.json.decode(codec.encode(told))) == space


@pytest.mark.parametrize("id", ["CartPole-v1", "Blackjack-v1", "Pendulum-v1", "FrozenLake-v1"])
def test_element_types_come_back_as_well(id: str) -> None:
    with gym.make(id) as env:
        for space in (env.observation_space, env.action_space):
            told = space_of(codec.json_schema(translate(space, "Space").kind))
            assert (told, told.dtype) == (space, space.dtype)


Row = Annotated[list[Annotated[int, Meta(ge=0, le=2)]], Meta(min_length=3, max_length=3)]
Grid = Annotated[list[Row], Meta(min_length=2, max_length=2)]


@pytest.mark.parametrize(
    ("kind", "space"),
    [
        (Annotated[int, Meta(ge=-1, lt=2)], spaces.Discrete(3, start=-1)),
        (bool, spaces.Discrete(2)),
        (int, spaces.Box(-(2**63), 2**63 - 1, (), np.int64)),
        (Annotated[int, Meta(gt=0)], spaces.Box(1, 2**63 - 1, (), np.int64)),
        (Annotated[float, Meta(ge=0)], spaces.Box(0, np.inf, (), np.float64)),
        (Row, spaces.Box(0, 2, (3,), np.int64)),
        (Grid, spaces.Box(0, 2, (2, 3), np.int64)),
        (tuple[bool, Row], spaces.Tuple([spaces.Discrete(2), spaces.Box(0, 2, (3,), np.int64)])),
        (Annotated[str, Meta(max_length=3)], spaces.Text(3, min_length=0)),
    ],
)
def test_an_authors_type_has_a_space(kind: Any, space: Any) -> None:
    (schema,), _ = msgspec.json.schema_components([kind])
    assert space_of(schema) == space


@pytest.mark.parametrize("kind", [str, list[int], int | str, dict[str, int], bytes])
def test_what_has_no_space_is_told_how_to_get_one(kind: Any) -> None:
    (schema,), _ = msgspec.json.schema_components([kind])
    with pytest.raises(ConfigurationError, match="pass observation_space"):
        space_of(schema)


def test_a_reference_is_followed() -> None:
    schema = codec.json_schema(translate(spaces.Tuple([ACTIONS]), "Space").kind)
    assert "$ref" in schema["prefixItems"][0]
    assert space_of(schema) == spaces.Tuple([ACTIONS])
