"""Lists a page at a time."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite.errors import InvalidArgumentsError
from openenv_lite.mcp.pages import Pages
from openenv_lite.mcp.seal import Seal

SEAL = Seal(b"sixteen bytes ok")


@given(st.lists(st.integers(), max_size=30), st.integers(1, 12))
def test_the_pages_together_are_the_list(entries: list[int], size: int) -> None:
    pages = Pages(SEAL, size)
    shown, cursor = pages.cut("tools", entries, None)
    every, count = [*shown], 1
    while cursor is not None:
        assert len(shown) == size
        shown, cursor = pages.cut("tools", entries, cursor)
        assert 0 < len(shown) <= size
        every, count = [*every, *shown], count + 1
    assert every == entries
    assert count == max(1, -(-len(entries) // size))


def test_a_cursor_is_good_on_every_server_with_the_key() -> None:
    _, cursor = Pages(SEAL, 2).cut("tools", [1, 2, 3], None)
    assert cursor is not None
    mate = Pages(Seal(b"sixteen bytes ok"), 2)
    assert mate.cut("tools", [1, 2, 3], cursor) == ([3], None)
    assert mate.cut("tools", [1], cursor) == ([], None)  # the list has become shorter


@given(st.text() | st.sampled_from(["", "0", "2", "-1", "null"]))
def test_a_cursor_that_was_made_up_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidArgumentsError) as caught:
        Pages(SEAL, 2).cut("tools", [1, 2, 3], cursor)
    assert caught.value.rpc_code == -32602


@pytest.mark.parametrize(
    ("purpose", "claims"),
    [("cursor", ["prompts", 2]), ("cursor", {}), ("session", ["tools", 2])],
)
def test_a_cursor_of_another_list_is_refused(purpose: str, claims: Any) -> None:
    cursor = SEAL.seal(purpose, claims, float("inf"))
    with pytest.raises(InvalidArgumentsError):
        Pages(SEAL, 2).cut("tools", [1, 2, 3], cursor)
