"""What an author's `reset` and `step` return, as the one `StepResult` every transport sends."""

import operator
from collections.abc import Callable
from typing import Any

import msgspec

from openenv_lite import codec
from openenv_lite.content import Outcome, from_openenv_result, outcome_of
from openenv_lite.errors import (
    InvalidArgumentsError,
    OpenEnvError,
    ToolFailedError,
    UnknownToolError,
)
from openenv_lite.types import CallToolObservation, StepResult

__all__ = ["READERS", "outcome_of_step", "result_of"]

_ENVELOPE = ("reward", "done", "truncated")

_FAILURES: dict[str, type[OpenEnvError]] = {
    "tool_not_found": UnknownToolError,
    "invalid_args": InvalidArgumentsError,
}


class _Readers(dict[type, Callable[[Any], StepResult[Any]]]):
    """What takes an observation of each type apart, made when the type is first seen."""

    def __missing__(self, kind: type) -> Callable[[Any], StepResult[Any]]:
        if issubclass(kind, msgspec.Struct):
            reader = _struct_reader(kind)
        else:
            reader = _model_reader(kind) if hasattr(kind, "model_dump") else _read_mapping
        self[kind] = reader
        return reader


READERS = _Readers()
"""`READERS[type(observation)](observation)` is `result_of` without a frame of its own."""


def result_of(observation: Any) -> StepResult[Any]:
    """Take an observation apart into its own fields and the envelope around them.

    Args:
        observation: A Struct, dataclass, dict or model; `reward`, `done`, `truncated` and
            `metadata` may be missing.

    Raises:
        TypeError: It has no fields.
    """
    return READERS[type(observation)](observation)


def outcome_of_step(observation: Any) -> Outcome:
    """What a model is shown of a step that was a tool call: nothing of reward, done or metadata.

    Raises:
        UnknownToolError, InvalidArgumentsError, ToolFailedError: The observation says so.
    """
    if not isinstance(observation, CallToolObservation):
        fields = codec.to_builtins(result_of(observation).observation)
        return outcome_of({name: fields[name] for name in fields if name != "metadata"})
    error = observation.error
    if error is not None:
        raise _FAILURES.get(error.error_type, ToolFailedError)(error.message)
    return from_openenv_result(observation.result)


def _struct_reader(kind: type[msgspec.Struct]) -> Callable[[Any], StepResult[Any]]:
    """Built once a type: copying fields into a narrower Struct is cheaper than a dict of them."""
    every = {field.name: field for field in msgspec.structs.fields(kind)}
    names = [name for name in every if name not in _ENVELOPE]
    if not {*_ENVELOPE, "metadata"} <= every.keys() or len(names) < 2:
        return _read_mapping
    narrow = msgspec.defstruct(
        kind.__name__,
        [(name, Any) for name in names],
        rename={name: every[name].encode_name for name in names},
        tag_field=kind.__struct_config__.tag_field,
        tag=kind.__struct_config__.tag,
    )
    own = operator.attrgetter(*names)
    return lambda seen: StepResult(
        narrow(*own(seen)), seen.reward, seen.done, seen.metadata, seen.truncated
    )


def _read_mapping(observation: Any) -> StepResult[Any]:
    fields = _object(codec.to_builtins(observation), observation)
    reward, done, truncated = (fields.pop(name, None) for name in _ENVELOPE)
    metadata = fields.get("metadata") or {}
    return StepResult(fields, reward, bool(done), metadata, bool(truncated))


def _model_reader(kind: Any) -> Callable[[Any], StepResult[Any]]:
    """Of a foreign model; `truncated` is its author's own field there, and stays.

    Most of the time of Pydantic's `model_dump` passes before it asks the serializer, so that is
    asked itself unless the author dumps in another way.
    """
    is_usual = kind.model_dump.__module__ == "pydantic.main"

    def read(observation: Any) -> StepResult[Any]:
        if is_usual:
            dumped = kind.__pydantic_serializer__.to_python(observation, mode="json")
        else:
            dumped = codec.plain(observation)
        fields = _object(dumped, observation)
        reward, done = fields.pop("reward", None), fields.pop("done", None)
        metadata = fields.get("metadata") or {}
        return StepResult(fields, reward, bool(done), metadata, bool(fields.get("truncated")))

    return read


def _object(fields: Any, observation: Any) -> dict[str, Any]:
    if not isinstance(fields, dict):
        raise TypeError(
            f"expected an Observation, got {type(observation).__name__}: return one from reset "
            "and step"
        )
    return fields
