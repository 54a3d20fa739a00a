"""Both servers answer the same messages alike, but for the differences that are declared."""

import json
from typing import Any, NamedTuple

import pytest

from tests.interop.differences import DIFFERENCES
from tests.interop.exchange import play
from tests.interop.messages import ROWS
from tests.interop.processes import Fleet
from tests.interop.rows import Row


class Comparison(NamedTuple):
    expected: list[Any]
    ours: list[Any]
    used: set[str]


class Comparer:
    """Plays each row at most once on each server."""

    def __init__(self, original: Fleet, ours: Fleet) -> None:
        self._original = original
        self._ours = ours
        self._done: dict[str, Comparison] = {}

    def compare(self, row: Row) -> Comparison:
        if row.name not in self._done:
            original = play(row, self._original.ports[row.app])
            ours = play(row, self._ours.ports[row.app])
            self._done[row.name] = reconciled(row, original, ours)
        return self._done[row.name]


def reconciled(row: Row, expected: list[Any], ours: list[Any]) -> Comparison:
    used = set()
    for difference in DIFFERENCES:
        if difference.touches(row.name):
            rewritten = difference.rewrite(expected, ours)
            if text_of(rewritten) != text_of(expected):
                used.add(difference.name)
            expected = rewritten
    return Comparison(expected, ours, used)


def text_of(replies: list[Any]) -> str:
    """Text, so that 1, 1.0 and true are told apart."""
    return "\n".join(json.dumps(each, sort_keys=True, ensure_ascii=False) for each in replies)


@pytest.fixture(scope="session")
def comparer(original: Fleet, ours: Fleet) -> Comparer:
    return Comparer(original, ours)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_our_replies_are_the_originals(comparer: Comparer, row: Row) -> None:
    comparison = comparer.compare(row)
    assert text_of(comparison.ours) == text_of(comparison.expected)


def test_each_declared_difference_is_needed(comparer: Comparer) -> None:
    used = set().union(*(comparer.compare(row).used for row in ROWS))
    assert {each.name for each in DIFFERENCES} - used == set()


def test_row_names_are_distinct() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
