"""Where two JSON values differ first."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ["ABSENT", "Difference", "first_difference"]

_NAME = re.compile(r"[^\W\d]\w*")


class _Absent:
    """Stands where one of the two values has nothing."""

    def __repr__(self) -> str:
        return "(nothing)"


ABSENT = _Absent()


class Difference(NamedTuple):
    """A place, as in `observation.board[3]`, and what stands there in either value."""

    path: str
    expected: Any
    got: Any


def first_difference(expected: Any, got: Any) -> Difference | None:
    """The first difference, in the order of the expected value; None where there is none.

    Numbers are equal where their values are: JSON does not tell 1 from 1.0. A Boolean is no number.
    """
    return next(_differences(expected, got, ""), None)


def _differences(expected: Any, got: Any, path: str) -> Iterator[Difference]:
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in [*expected, *(key for key in got if key not in expected)]:
            there = f"{path}.{key}" if _NAME.fullmatch(key) else f"{path}[{key!r}]"
            yield from _differences(expected.get(key, ABSENT), got.get(key, ABSENT), there)
    elif isinstance(expected, list) and isinstance(got, list):
        for index in range(max(len(expected), len(got))):
            pair = _at(expected, index), _at(got, index)
            yield from _differences(*pair, f"{path}[{index}]")
    elif not _equal(expected, got):
        yield Difference(path.removeprefix("."), expected, got)


def _at(values: list[Any], index: int) -> Any:
    return values[index] if index < len(values) else ABSENT


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)
