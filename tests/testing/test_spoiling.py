import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite.testing.sessions.spoiling import spoil


class Piece(msgspec.Struct):
    """What an observation may hold."""

    worth: int = 1
    moves: list[int] = []


class Board(msgspec.Struct):
    """What may be returned."""

    size: int
    pieces: list[Piece]
    names: dict[str, list[int]]
    pixels: object = None


VALUES = st.recursive(
    st.integers() | st.text(max_size=3) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
)


@given(VALUES)
def test_whatever_is_spoilt_can_be_mended(value: object) -> None:
    board = Board(3, [Piece(2, [1])], {"a": []}, value)
    before = msgspec.json.encode(board)
    undo = spoil(board)
    assert msgspec.json.encode(board) != before
    for each in reversed(undo):
        each()
    assert msgspec.json.encode(board) == before


def test_its_own_fields_stay_what_they_are() -> None:
    piece = Piece(7)
    board = Board(3, [piece], {})
    spoil(board)
    assert (board.size, board.pieces, piece.worth) == (3, [], 8)


def test_arrays_are_changed_where_they_are() -> None:
    pixels = np.zeros((2, 2), np.float32)
    undo = spoil(Board(3, [], {}, pixels))
    assert pixels.any()
    for each in reversed(undo):
        each()
    assert not pixels.any()


def test_what_cannot_be_changed_is_left() -> None:
    assert spoil((1, "a", frozenset({2}))) == []


def test_rings_have_an_end() -> None:
    ring: list[object] = []
    ring.append(ring)
    assert spoil(ring)
