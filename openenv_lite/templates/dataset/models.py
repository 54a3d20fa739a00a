"""A row of the data, and what an episode knows."""

from typing import Annotated

from msgspec import Meta, Struct

__all__ = ["Answer", "Episode", "Row"]

Answer = Annotated[str, Meta(max_length=1000, description="The answer alone, without a sentence.")]


class Row(Struct, forbid_unknown_fields=True):
    """A line of `server/data.jsonl`."""

    question: str
    answer: str


class Episode(Struct):
    """All that an environment knows beside the data; snapshots hold this."""

    row: int = 0
    answered: str | None = None
