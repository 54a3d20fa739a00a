"""Whether what a target shows fits the JSON Schemas that it advertises."""

from collections.abc import Iterator, Mapping
from typing import Any

from openenv_lite.errors import ConfigurationError, InvalidArgumentsError
from openenv_lite.schemas import Check, check_of
from openenv_lite.testing.sessions.seen import Seen

__all__ = ["Fitting", "whole"]

_ENVELOPE = ("reward", "done", "truncated")
_WITHIN = "value"
_ALTERNATIVES = ("allOf", "anyOf", "oneOf")


class Fitting:
    """Values against the schemas of one target, each of which is read once.

    Args:
        schemas: JSON Schemas of draft 2020-12, by what they describe.
    """

    def __init__(self, schemas: Mapping[str, dict[str, Any]]) -> None:
        self._schemas = schemas
        self._checks: dict[str, Check] = {}

    def refusal(self, name: str) -> str | None:
        """Why the schema of this name is none; None where it is one."""
        if not isinstance(self._schemas.get(name), dict):
            return f"there is no schema of the {name}"
        try:
            self._check(name)
        except ConfigurationError as error:
            return error.message
        return None

    def faults(self, name: str, value: Any) -> list[dict[str, Any]]:
        """Where and how the value does not fit: `loc`, a path, and `msg` each.

        Raises:
            ConfigurationError: The schema is none.
        """
        try:
            self._check(name)({_WITHIN: value})
        except InvalidArgumentsError as error:
            faults = error.details["errors"] or [{"loc": [_WITHIN], "msg": error.message}]
            return [{**fault, "loc": fault["loc"][1:]} for fault in faults]
        return []

    def _check(self, name: str) -> Check:
        if name not in self._checks:
            self._checks[name] = check_of(_wrapped(self._schemas[name]), f"The {name}'s schema")
        return self._checks[name]


def _wrapped(schema: dict[str, Any]) -> dict[str, Any]:
    """An object that holds the value: checks are of objects, and an action may be a number."""
    at_top = {"$defs", "$schema"}
    inner = {word: schema[word] for word in schema if word not in at_top}
    outer = {word: schema[word] for word in schema if word in at_top}
    return {**outer, "type": "object", "properties": {_WITHIN: inner}}


def whole(seen: Seen, schema: dict[str, Any]) -> dict[str, Any]:
    """An observation together with what the wire keeps beside it, where the schema names that."""
    named = {*_names(schema, schema)}
    beside = {name: getattr(seen, name) for name in _ENVELOPE if name in named}
    return {**beside, **seen.observation}


def _names(schema: dict[str, Any], root: dict[str, Any]) -> Iterator[str]:
    """The fields that a schema of objects speaks of."""
    yield from schema.get("properties", {})
    definition = schema.get("$ref", "").removeprefix("#/$defs/")
    if definition in root.get("$defs", {}):
        yield from _names(root["$defs"][definition], root)
    for word in _ALTERNATIVES:
        for each in schema.get(word, []):
            yield from _names(each, root)
