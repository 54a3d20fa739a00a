"""Which part of a served action and observation is Gymnasium's, and in which space it lies."""

import operator
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec
from gymnasium import Space, spaces

from openenv_lite.client.described import Schema
from openenv_lite.errors import ConfigurationError
from openenv_lite.gym.conversion import NUMERIC, Conversion, conversion
from openenv_lite.gym.spaces import space_of

__all__ = ["Layout"]

_BESIDE = {"reward", "done", "truncated", "metadata"}
"""Fields of every observation, or action, that Gymnasium has other places for."""


class Layout(NamedTuple):
    """How the types of a served environment appear to Gymnasium.

    A field named `action` or `observation`, or else the only field of its type, is Gymnasium's
    action or observation; of several fields a Dict is made.

    Attributes:
        observation_space: Of one environment.
        action_space: Of one environment.
        observation: The conversion of the one.
        action: The conversion of the other.
        seen: The type to decode observations to.
        values: From decoded observations to what the conversion takes.
        wrapped: From what the conversion gave, a list, to actions for the wire.
    """

    observation_space: Space[Any]
    action_space: Space[Any]
    observation: Conversion
    action: Conversion
    seen: Any
    values: Callable[[Iterable[Any]], list[Any]]
    wrapped: Callable[[list[Any]], list[Any]]

    @property
    def is_numeric(self) -> bool:
        """Whether a batch of observations is one array, which copies what is put into it."""
        return isinstance(self.observation_space, NUMERIC)

    @classmethod
    def of(
        cls,
        schemas: Schema,
        observation_space: Space[Any] | None = None,
        action_space: Space[Any] | None = None,
    ) -> "Layout":
        """Read it off what `/schema` tells.

        Args:
            schemas: Those of `action` and `observation`.
            observation_space: In place of the one that the schema tells.
            action_space: Likewise.

        Raises:
            ConfigurationError: A space is neither told nor passed, or it is none of these fields.
        """
        seen_in, seen_schema = _part(schemas["observation"], "observation")
        done_in, done_schema = _part(schemas["action"], "action")
        observation_space = _chosen(observation_space, seen_in, seen_schema)
        action_space = _chosen(action_space, done_in, done_schema)
        return cls(
            observation_space,
            action_space,
            conversion(observation_space),
            conversion(action_space),
            *_reading(seen_in),
            _wrapping(done_in),
        )


def _part(schema: Schema, own: str) -> tuple[str | None, Schema]:
    """The field that is Gymnasium's, and its schema; None and one of an object for all of them."""
    every = schema.get("properties", {})
    parts = {key: part for key, part in every.items() if key not in _BESIDE}
    definitions = {"$defs": schema.get("$defs", {})}
    if len(parts) == 1:
        own = next(iter(parts))
    if own in parts:
        return own, {**parts[own], **definitions}
    return None, {"type": "object", "properties": parts, **definitions}


def _chosen(given: Space[Any] | None, field: str | None, schema: Schema) -> Space[Any]:
    if given is None:
        return space_of(schema)
    if field is None and not isinstance(given, spaces.Dict):
        names = ", ".join(schema["properties"]) or "none"
        raise ConfigurationError(f"Not {given}: pass a Dict space of all fields, which are {names}")
    return given


def _reading(field: str | None) -> tuple[Any, Callable[[Iterable[Any]], list[Any]]]:
    if field is None:
        return dict[str, Any], list
    attribute = field if field.isidentifier() else "value"
    seen = msgspec.defstruct("Seen", [(attribute, Any)], rename={attribute: field})
    value = operator.attrgetter(attribute)
    return seen, lambda observations: [*map(value, observations)]


def _wrapping(field: str | None) -> Callable[[list[Any]], list[Any]]:
    if field is None:
        return list
    return lambda values: [{field: value} for value in values]
