"""What a game showed, as plain values that can be compared."""

import math
from collections.abc import Iterator
from typing import Any

import msgspec

from openenv_lite import codec
from openenv_lite.recording.differences import ABSENT
from openenv_lite.types import StepResult

__all__ = ["Seen", "difference", "plain", "short", "told"]

_MOST_SHOWN = 200


class Seen(msgspec.Struct):
    """One reply of an environment: its observation as JSON has it, the rest as it was given."""

    observation: Any
    reward: Any
    done: Any
    truncated: Any
    metadata: Any

    @classmethod
    def of(cls, result: StepResult[Any]) -> "Seen":
        """What a result shows."""
        return cls(
            plain(result.observation),
            _unboxed(result.reward),
            _unboxed(result.done),
            _unboxed(result.truncated),
            plain(result.metadata),
        )


def _unboxed(value: Any) -> Any:
    """A scalar of NumPy's as the number that the wire makes of it."""
    return value.item() if hasattr(value, "dtype") and hasattr(value, "item") else value


def plain(value: Any) -> Any:
    """The value as it would arrive over the wire."""
    return codec.parse(codec.encode(value))


def difference(one: Any, other: Any) -> str | None:
    """Where two plain values first differ, and how; None where they are equal, NaN to NaN."""
    for path, left, right in _differences(_builtins(one), _builtins(other), ""):
        return f"{path.lstrip('.') or 'the value'}: {short(left)}, then {short(right)}"
    return None


def _builtins(value: Any) -> Any:
    return msgspec.structs.asdict(value) if isinstance(value, Seen) else value


def _differences(one: Any, other: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*one, *(key for key in other if key not in one)]:
            pair = one.get(key, ABSENT), other.get(key, ABSENT)
            yield from _differences(*pair, f"{path}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _differences(left, right, f"{path}[{place}]")
    elif not _are_equal(one, other):
        yield path, one, other


def _are_equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and bool(one == other)


def told(seen: Seen) -> str:
    """What was seen, in a line."""
    text = f"observation={short(seen.observation)}, reward={seen.reward!r}, done={seen.done!r}"
    return f"{text}, truncated=True" if seen.truncated else text


def short(value: Any) -> str:
    """The value as Python, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
