"""What others wrote, as a terminal may have it."""

from hypothesis import given
from hypothesis import strategies as st

from openenv_lite.printable import printable


@given(text=st.text(st.characters(exclude_categories=[])))
def test_nothing_is_left_that_a_terminal_obeys(text: str) -> None:
    shown = printable(text)
    assert shown.replace("\n", "").isprintable()
    assert shown.count("\n") == text.count("\n")
    shown.encode()  # which half a surrogate could not be


@given(text=st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_what_can_be_read_stays_as_it_is(text: str) -> None:
    assert printable(f"{text} a\nb") == f"{text} a\nb"


def test_an_escape_is_written_as_python_writes_it() -> None:
    assert printable("\x1b[2J\x9b\u202e\ud800 é") == r"\x1b[2J\x9b\u202e\ud800 é"
