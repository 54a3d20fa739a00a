"""A recording as an Arrow table: one row an event, with the same columns for any environment."""

import importlib
import itertools
import os
from typing import TYPE_CHECKING, Any

import msgspec

from openenv_lite.errors import ConfigurationError
from openenv_lite.recording.events import Event
from openenv_lite.recording.reading import events_in, files_of

if TYPE_CHECKING:
    import pyarrow

__all__ = ["schema", "table"]

_COLUMNS = {"step": "int64", "seed": "int64", "time": "float64", "seconds": "float64"}
_COLUMNS |= {"reward": "float64", "done": "bool_", "truncated": "bool_"}
"""Those that are not text."""

_AT_ONCE = 10_000
"""Rows that are Python objects at the same time."""


def schema() -> "pyarrow.Schema":
    """The columns and their types: the keys of a line.

    `datasets` takes it, as `Features.from_arrow_schema(schema())`, and need not infer anything.

    Raises:
        ConfigurationError: pyarrow is missing.
    """
    arrow = _imported_arrow()
    names = Event.__struct_fields__
    return arrow.schema([(name, getattr(arrow, _COLUMNS.get(name, "string"))()) for name in names])


def table(path: str | os.PathLike[str]) -> "pyarrow.Table":
    """A recording as one table; actions, observations, options and metadata are JSON text.

    Args:
        path: A file, or a folder of files that end in `.jsonl`.

    Raises:
        ConfigurationError: pyarrow is missing, or nothing was recorded there.
    """
    arrow, columns = _imported_arrow(), schema()
    events = (event for file in files_of(path) for event in events_in(file))
    batches = []
    while rows := [msgspec.structs.asdict(event) for event in itertools.islice(events, _AT_ONCE)]:
        batches.append(arrow.RecordBatch.from_pylist(rows, schema=columns))
    return arrow.Table.from_batches(batches, schema=columns)


def _imported_arrow() -> Any:
    try:
        return importlib.import_module("pyarrow")
    except ModuleNotFoundError:
        raise ConfigurationError(
            "pyarrow is missing: run pip install 'openenv-lite[arrow]'"
        ) from None
