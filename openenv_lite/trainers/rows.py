"""What a row of a dataset, or whoever begins an episode, says to an environment's `reset`."""

import contextlib
from collections.abc import Container, Mapping
from typing import Any

from openenv_lite import codec

__all__ = ["options_of", "seed_and_others"]

_OF_LANES = ("seed", "seeds", "lanes")


def options_of(row: Mapping[str, Any], besides: Container[str] = ()) -> dict[str, Any]:
    """The options for `reset`: no None, which a table has where a row has nothing.

    Args:
        row: Columns and their values; those that JSON cannot carry are left out.
        besides: Columns that are the trainer's own.
    """
    return {
        name: value
        for name, value in row.items()
        if value is not None and name not in besides and _is_sendable(value)
    }


def seed_and_others(options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The seed, and the options that many lanes can be told together.

    What says `seeds` or `lanes` is left out: to many lanes these are words of the protocol.
    """
    others = {name: each for name, each in options.items() if name not in _OF_LANES}
    return options.get("seed"), others


def _is_sendable(value: Any) -> bool:
    with contextlib.suppress(*codec.UNSENDABLE):
        codec.encode(value)
        return True
    return False
