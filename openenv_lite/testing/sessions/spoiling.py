"""A caller who does as it likes with what it was given, to see whom that reaches."""

import contextlib
import functools
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["spoil"]

Undo = Callable[[], None]

_SEQUENCES = (list, deque, bytearray)
_REFUSALS = (AttributeError, TypeError, ValueError)
"""What frozen objects, and those that check what they are given, raise."""


def spoil(value: Any) -> list[Undo]:
    """Change every list, dict, set, array and inner object that can be reached from a value.

    Its own fields stay what they are: only what they hold is changed.

    Returns:
        What undoes each change, the latest last; empty where nothing can be changed.
    """
    undo: list[Undo] = []
    seen: dict[int, Any] = {}
    for inner in _inside(value) if _fields(value) else [value]:
        _spoil(inner, undo, seen)
    return undo


def _spoil(value: Any, undo: list[Undo], seen: dict[int, Any]) -> None:
    if id(value) in seen:
        return
    seen[id(value)] = value
    for inner in [*_inside(value)]:
        _spoil(inner, undo, seen)
    with contextlib.suppress(*_REFUSALS):
        _change(value, undo)


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, list | tuple | deque):
        return value
    return [getattr(value, name, None) for name in _fields(value)]


def _fields(value: Any) -> list[str]:
    """Names of the fields of a Struct, a dataclass or a model."""
    kind = type(value)
    for names in ("__struct_fields__", "__dataclass_fields__", "model_fields"):
        if hasattr(kind, names):
            return [*getattr(kind, names)]
    return []


def _change(value: Any, undo: list[Undo]) -> None:
    """Change one object itself, if it is of a kind that can be changed."""
    if isinstance(value, _SEQUENCES):
        _replace(value, value.extend, [*value], undo)
    elif isinstance(value, dict | set):
        _replace(value, value.update, value.copy(), undo)
    elif _is_array(value):
        saved = value.copy()
        value.fill(not value.any())
        undo.append(lambda: value.__setitem__(..., saved))
    else:
        _change_fields(value, undo)


def _is_array(value: Any) -> bool:
    """Whether it is an array of numbers; a scalar of NumPy's cannot be changed."""
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    return kind in tuple("biuf") and hasattr(value, "__setitem__")


def _replace(value: Any, refill: Callable[[Any], None], saved: Any, undo: list[Undo]) -> None:
    """Empty a collection, or fill it if it is empty."""

    def put_back() -> None:
        value.clear()
        refill(saved)

    undo.append(put_back)
    if value:
        value.clear()
    else:
        refill({"spoilt": None} if isinstance(value, dict) else b"?")


def _change_fields(value: Any, undo: list[Undo]) -> None:
    for name in _fields(value):
        old = getattr(value, name)
        if isinstance(old, str | int | float):
            with contextlib.suppress(*_REFUSALS):
                setattr(value, name, old + "?" if isinstance(old, str) else _other(old))
                undo.append(functools.partial(setattr, value, name, old))


def _other(number: float) -> float:
    return not number if isinstance(number, bool) else number + 1
