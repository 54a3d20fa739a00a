"""Hypothesis strategies from JSON Schemas of draft 2020-12."""

from typing import Any

from hypothesis import strategies as st

from openenv_lite.errors import ConfigurationError
from openenv_lite.testing.strategies.faults import Fault, Faults
from openenv_lite.testing.strategies.shapes import Document
from openenv_lite.testing.strategies.values import Values

__all__ = ["invalid", "valid"]


def valid(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Plain JSON values that satisfy the schema.

    They are such as an environment can bear: numbers that are not bounded stay moderate, floats are
    finite, texts and arrays short. Optional fields are left out now and then, and optional
    `metadata` of the value itself always. An array of many numbers is drawn at once.

    Raises:
        ConfigurationError: No value satisfies the schema, or it cannot be read.
    """
    document = Document(schema)
    if not document.shapes(schema):
        raise ConfigurationError("No value satisfies the schema: look for bounds that contradict")
    return Values(document).of(schema)


def invalid(schema: dict[str, Any]) -> Fault | None:
    """Plain JSON values with one fault each, and what the fault is.

    Never one that lax decoding would take for valid, as it takes `"5"` for an int. What options of
    a union might excuse in each other is not tried.

    Returns:
        Values and faults in words, as `amount: above the greatest number, 5`; None where the schema
        allows everything.

    Raises:
        ConfigurationError: As `valid`.
    """
    document = Document(schema)
    faults = Faults(document, Values(document)).of(schema)
    return st.one_of(faults) if faults else None
