"""What a class's snapshots are bound to, and the types that can be saved."""

import dataclasses
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from openenv_lite import Environment, Observation, State
from openenv_lite.blueprint import Blueprint
from openenv_lite.errors import ConfigurationError, SnapshotMismatchError
from openenv_lite.protocol import Phase
from openenv_lite.snapshots import Binding, Moment
from tests.environments import Add, Inline

MOMENT = Moment(Phase.RUNNING, "e", 1, {}, None)

T = TypeVar("T")


class Piece(msgspec.Struct, tag="piece"):
    """Documented one way."""

    name: str
    at: tuple[int, int]


class Tree(msgspec.Struct):
    """It holds itself."""

    below: list["Tree"] = []


@dataclasses.dataclass
class Plain:
    values: set[int]


class Grid(msgspec.Struct):
    cells: NDArray[np.float32]
    owner: dict[tuple[int, int], Piece] = {}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Piece, Piece("a", (1, 2))),
        (Tree, Tree([Tree([Tree()])])),
        (Plain, Plain({1, 2})),
        (dict[tuple[int, int], Piece], {(1, 2): Piece("a", (1, 2))}),
        (bytes, b"\x00\xff"),
        (int | str, "5"),
        (Any, {"a": [1, None, 2.5]}),
        (Tree | None, None),
    ],
)
def test_a_value_comes_back_as_its_type_says(kind: Any, value: Any) -> None:
    binding = Binding("Game", "1", kind)
    moment, found = binding.decode(binding.encode(MOMENT, value))
    assert (moment, found) == (MOMENT, value)
    assert type(found) is type(value)


def test_arrays_come_back_and_can_be_written_to() -> None:
    binding = Binding("Game", "1", Grid)
    cells = np.arange(6, dtype=np.float32).reshape(2, 3)
    _, found = binding.decode(binding.encode(MOMENT, Grid(cells)))
    assert np.array_equal(found.cells, cells)
    found.cells[0, 0] = 9
    assert cells[0, 0] == 0
    _, anything = Binding("Game", "1", Any).decode(Binding("Game", "1", Any).encode(MOMENT, cells))
    assert anything.dtype == cells.dtype


def test_arrays_set_on_the_state_come_back_as_arrays() -> None:
    binding = Binding("Game", "1", Any)
    moment = Moment(Phase.RUNNING, "e", 1, {"board": np.arange(3)}, None)
    found, _ = binding.decode(binding.encode(moment, None))
    assert found.attributes["board"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("kind", [threading_like := type("Lock", (), {}), list[type]])
def test_a_type_that_cannot_be_saved_is_refused_at_once(kind: Any) -> None:
    with pytest.raises(ConfigurationError, match="cannot be saved"):
        Binding("Game", "1", kind)


def test_words_may_change_and_types_may_not() -> None:
    def piece(text: str, kind: Any) -> Any:
        made = msgspec.defstruct("Piece", [("name", kind), ("description", str)])
        made.__doc__ = text
        return made

    saved = Binding("Game", "1", piece("a", int)).encode(MOMENT, {"name": 1, "description": ""})
    Binding("Game", "1", piece("b", int)).check(saved)
    with pytest.raises(SnapshotMismatchError, match="VERSION"):
        Binding("Game", "1", piece("a", str)).check(saved)
    renamed = msgspec.defstruct("Piece", [("name", int), ("title", str)])
    with pytest.raises(SnapshotMismatchError):
        Binding("Game", "1", renamed).check(saved)


class Backed(Generic[T]):
    """As a mixin of an author's."""

    def snapshot(self) -> T | None:
        raise NotImplementedError

    def restore(self, saved: T | None) -> None:
        raise NotImplementedError


class Middle(Backed[list[T]], Environment[Add, Observation, State], Generic[T]):
    """It fills in a part."""

    def reset(self) -> Any:
        """Nothing."""

    def step(self, action: Add) -> Any:
        """Nothing."""


class Whole(Middle[Piece]):
    """It fills in the rest."""


class Quoted(Backed["Piece"], Inline):
    """By name."""


class Vague(Backed[Any], Inline):
    """It leaves it open."""


class Told(Inline):
    """Only `restore` says what it is."""

    def snapshot(self):  # type: ignore[no-untyped-def]
        """Nothing."""

    def restore(self, saved: Piece) -> None:
        """Nothing."""


class Untold(Inline):
    """Nobody says."""

    def snapshot(self):  # type: ignore[no-untyped-def]
        """Nothing."""

    def restore(self, saved):  # type: ignore[no-untyped-def]
        """Nothing."""


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Whole, list[Piece] | None),
        (Quoted, Piece | None),
        (Vague, Any | None),
        (Told, Piece),
        (Untold, Any),
    ],
)
def test_the_type_is_read_from_the_class(kind: Any, expected: Any) -> None:
    blueprint = Blueprint(kind)
    assert blueprint.has_snapshots
    saved = blueprint.saving().binding.encode(MOMENT, None)
    Binding(kind.__qualname__, "1", expected).check(saved)


def test_generic_mixins_do_not_hide_the_other_types() -> None:
    assert Blueprint(Whole).action_type is Add


@pytest.mark.parametrize("name", ["snapshot", "restore"])
def test_one_without_the_other_is_refused(name: str) -> None:
    half = type("Half", (Inline,), {name: lambda *_: None})
    with pytest.raises(ConfigurationError, match=f"defines {name}"):
        Blueprint(half)


def test_a_type_that_cannot_be_saved_is_named_with_its_class() -> None:
    class Odd(Inline):
        def snapshot(self) -> threading_like:  # type: ignore[valid-type]
            """Nothing."""

        def restore(self, saved: Any) -> None:
            """Nothing."""

    with pytest.raises(ConfigurationError, match="Odd"):
        Blueprint(Odd)
