"""What a row of a dataset says to an environment's `reset`."""

import contextlib
from collections.abc import Container, Mapping
from typing import Any

from openenv_lite import codec

__all__ = ["options_of"]


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


def _is_sendable(value: Any) -> bool:
    with contextlib.suppress(*codec.UNSENDABLE):
        codec.encode(value)
        return True
    return False
