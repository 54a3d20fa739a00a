"""JSON Schemas that an author wrote, as checks of values; needs the `jsonschema` package.

Nothing is ever fetched: a schema that refers outside of itself is refused when it is declared.
"""

import importlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from openenv_lite import codec
from openenv_lite.codec import MOST_FAULTS, MOST_REPEATED
from openenv_lite.errors import ConfigurationError, InvalidArgumentsError

__all__ = ["Check", "check_of"]

Check = Callable[[Any], None]
"""Raises `InvalidArgumentsError` for a value that does not fit; `errors` says where."""

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def check_of(schema: dict[str, Any], owner: str) -> Check:
    """A check built from a schema of draft 2020-12, or of another that its `$schema` names.

    Args:
        schema: Of an object.
        owner: Whose it is, for the error's text.

    Raises:
        ConfigurationError: No valid schema of an object, of a draft that nobody knows, or one that
            refers to what it does not hold; or `jsonschema` is not installed.
    """
    if schema.get("type") != "object":
        raise ConfigurationError(f'{owner} needs `"type": "object"` at its top')
    validators = _installed("jsonschema.validators", owner)
    draft = {"$schema": _DRAFT, **schema}
    kind = validators.validator_for(draft, default=None)
    if kind is None:
        raise ConfigurationError(
            f"{owner} is of an unknown draft, {draft['$schema']!r}; write it for {_DRAFT}"
        )
    try:
        kind.check_schema(schema)
    except importlib.import_module("jsonschema.exceptions").SchemaError as error:
        raise ConfigurationError(f"{owner} is no valid JSON Schema: {error.message}") from None
    referencing = importlib.import_module("referencing")
    resource = referencing.Resource.from_contents(draft)
    registry = referencing.Registry()  # without a way to fetch anything
    try:
        _follow(resource, registry.resolver_with_root(resource))
    except referencing.exceptions.Unresolvable as error:
        raise ConfigurationError(
            f"{owner} refers to {error.ref!r}, which it does not hold; put it under `$defs`"
        ) from None
    linear = validators.extend(kind, {"uniqueItems": _unique})
    return _check(linear(schema, registry=registry).iter_errors)


def _unique(validator: Any, wanted: Any, array: Any, schema: Any) -> Iterator[Any]:
    """`uniqueItems` in one pass; the package's own compares every pair of objects."""
    if wanted and isinstance(array, list):
        seen = {_canonical(each) for each in array}
        if len(seen) < len(array):
            errors = importlib.import_module("jsonschema.exceptions")
            yield errors.ValidationError("has items that are not unique")


def _canonical(value: Any) -> bytes:
    """Equal for values that JSON Schema takes for equal, as it does 1 and 1.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, list):
        value = [_canonical(each).decode() for each in value]
    if isinstance(value, dict):
        value = {key: _canonical(each).decode() for key, each in value.items()}
    return type(value).__name__.encode() + msgspec.json.encode(value, order="sorted")


def _installed(name: str, owner: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ConfigurationError(
            f"{owner} is checked by a package that is not there: pip install 'openenv-lite[schema]'"
        ) from None


def _follow(resource: Any, resolver: Any) -> None:
    """Look up every reference, so that none fails in a call."""
    contents = resource.contents if isinstance(resource.contents, dict) else {}
    for keyword in ("$ref", "$dynamicRef"):
        if keyword in contents:
            resolver.lookup(contents[keyword])
    for inner in resource.subresources():
        _follow(inner, resolver.in_subresource(inner))


def _check(errors_in: Callable[[Any], Iterator[Any]]) -> Check:
    def check(value: Any) -> None:
        try:
            found = list(itertools.islice(errors_in(value), MOST_FAULTS))
        except RecursionError:
            raise InvalidArgumentsError("Nested too deeply", errors=[]) from None
        if found:
            faults = [_fault(each) for each in found]
            raise InvalidArgumentsError(_summary(faults[0]), errors=faults)

    return check


def _fault(error: Any) -> dict[str, Any]:
    place = [step[:100] if isinstance(step, str) else step for step in error.absolute_path]
    return {
        "type": str(error.validator),
        "loc": place,
        "msg": error.message[:MOST_REPEATED],
        "input": codec.repeatable(error.instance),
    }


def _summary(fault: dict[str, Any]) -> str:
    place = ".".join(str(step) for step in fault["loc"])
    return f"Invalid argument {place!r}: {fault['msg']}" if place else str(fault["msg"])
