"""Types to bytes and back: one decoder, one encoder, one JSON Schema a type.

msgspec Structs, dataclasses and TypedDicts are native. Whatever offers Pydantic's
`model_validate`, `model_dump` and `model_json_schema` is served through these three, so Pydantic
is never imported here. Decoding is lax as OpenEnv's is: `"5"` fits an `int`.
"""

import inspect
import json
import re
from typing import Any, TypeVar

import msgspec

from openenv_lite.errors import InvalidJSONError, InvalidMessageError

__all__ = [
    "UNSENDABLE",
    "Decoder",
    "construct",
    "convert",
    "encode",
    "fault",
    "is_supported",
    "json_schema",
    "parse",
    "plain",
    "repeatable",
    "to_builtins",
]

T = TypeVar("T")

_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING_FIELD = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_MISTYPED = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")
_BOUND = re.compile(r"Expected `([^`]*)`( of length)? (>=|<=|>|<|matching)")
_PATH_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]|\[\.\.\.\]")

_TYPE_NAMES = {"object": "dict", "array": "list", "str": "string"}
_PARSED_FROM_TEXT = {"int", "float", "bool"}
_BOUND_NAMES = {
    ">=": "greater_than_equal",
    "<=": "less_than_equal",
    ">": "greater_than",
    "<": "less_than",
    "matching": "string_pattern_mismatch",
}
_LENGTH_NAMES = {">=": "too_short", "<=": "too_long"}

_SIMPLE = (str, int, float, bool, None, Any)


def construct(kind: type, value: Any) -> Any:
    """Build a foreign model; its `ValueError` becomes a fault at the right path."""
    validate = getattr(kind, "model_validate", None)
    if validate is None:
        raise NotImplementedError(f"{kind!r} is neither a Struct, dataclass, TypedDict nor model")
    return validate(value)


def plain(value: Any) -> Any:
    """Turn a foreign model or an array into what JSON knows."""
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    tolist = getattr(value, "tolist", None)
    if tolist is not None:
        return tolist()
    raise NotImplementedError(
        f"{type(value).__name__} cannot be sent as JSON; return a number, text, bytes, list, dict, "
        "dataclass or msgspec Struct"
    )


def _foreign_schema(kind: type) -> dict[str, Any]:
    describe = getattr(kind, "model_json_schema", None)
    if describe is None:
        raise NotImplementedError(f"{kind!r} has no JSON Schema")
    schema: dict[str, Any] = describe()
    return schema


MOST_REPEATED = 1000
"""Bytes of a faulty message that its refusal repeats, so that a reply is never the larger."""

MOST_FAULTS = 10
"""Faults that a refusal lists."""

UNSENDABLE = (TypeError, ValueError, NotImplementedError, RecursionError, OverflowError)
"""What encoding, or taking apart, raises for a value that JSON cannot carry."""

_encoder = msgspec.json.Encoder(enc_hook=plain)
encode = _encoder.encode


def to_builtins(value: Any) -> Any:
    """The value as dicts, lists, text, numbers and None."""
    return msgspec.to_builtins(value, enc_hook=plain)


def parse(text: str | bytes) -> Any:
    """JSON text to plain values.

    Raises:
        InvalidJSONError: Not JSON, nested too deeply, or not UTF-8; says where, as Python does.
    """
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise InvalidJSONError(f"Invalid JSON: {_where(text, error)}") from None


def _where(text: str | bytes, error: Exception) -> str:
    """The standard library's account of the fault, which clients of the original know."""
    try:
        json.loads(text)
    except json.JSONDecodeError as standard:
        return str(standard)
    except (UnicodeDecodeError, RecursionError, ValueError):
        return str(error)
    return str(error)


class Decoder:
    """Decodes JSON text into one type, built once and used for every message."""

    def __init__(self, kind: Any) -> None:
        self._decoder = msgspec.json.Decoder(kind, strict=False, dec_hook=construct)
        self.decode_fast = self._decoder.decode
        """As `decode`, but raises msgspec's own errors; all are a `ValueError` or too deep."""

    def decode(self, text: str | bytes) -> Any:
        """JSON text to a value of the type.

        Raises:
            InvalidJSONError: The text is not JSON.
            InvalidMessageError: It is, but does not fit; `errors` says where.
        """
        try:
            return self._decoder.decode(text)
        except msgspec.ValidationError as error:
            raise fault(error, parse(text)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
            raise InvalidJSONError(f"Invalid JSON: {_where(text, error)}") from None


def convert(value: Any, kind: Any) -> Any:
    """Plain values to a value of the type.

    Raises:
        InvalidMessageError: It does not fit; `errors` says where.
    """
    try:
        return msgspec.convert(value, kind, strict=False, dec_hook=construct)
    except msgspec.ValidationError as error:
        raise fault(error, value) from None
    except RecursionError:
        raise InvalidMessageError("Nested too deeply", errors=[]) from None


def fault(error: msgspec.ValidationError, source: Any) -> InvalidMessageError:
    """The typed error for a value that does not fit, naming path, kind and offending input.

    Args:
        error: What msgspec raised; it stops at the first fault.
        source: The plain value that was refused, where the offending part is looked up.
    """
    foreign = getattr(error.__cause__, "errors", None)
    text, path = _split(str(error))
    place = _path(path)
    if callable(foreign):
        faults = [{**each, "loc": [*place, *each["loc"]]} for each in foreign()[:MOST_FAULTS]]
        for each in faults:
            each.pop("ctx", None)  # may hold an exception object, which JSON cannot carry
            each["input"] = repeatable(each["input"])
        return InvalidMessageError("Invalid message", errors=faults)
    kind, extra = _classify(text, _look_up(source, place))
    place += extra
    given = repeatable(_look_up(source, place[:-1] if kind == "missing" else place))
    entry = {"type": kind, "loc": _short(place), "msg": text[:MOST_REPEATED], "input": given}
    return InvalidMessageError("Invalid message", errors=[entry])


def _short(place: list[str | int]) -> list[str | int]:
    return [step[:100] if isinstance(step, str) else step for step in place]


def repeatable(given: Any) -> Any:
    """What a peer sent, to be sent back to it, unless that is large or too deep to encode."""
    try:
        if len(encode(given)) <= MOST_REPEATED:
            return given
    except UNSENDABLE:
        return "(cannot be repeated)"
    return "(too large to repeat)"


def _split(message: str) -> tuple[str, str]:
    """Text and path; the path comes last, and a field's name may hold anything."""
    text, at, path = message.rpartition(" - at `$")
    return (text, path.removesuffix("`")) if at else (message, "")


def _classify(text: str, given: Any) -> tuple[str, list[str | int]]:
    """Kind of the fault in Pydantic's vocabulary, and the field it adds to the path."""
    if match := _UNKNOWN_FIELD.match(text):
        return "extra_forbidden", [match[1]]
    if match := _MISSING_FIELD.match(text):
        return "missing", [match[1]]
    if match := _MISTYPED.match(text):
        return _mistyped(match[1].split(" | ")[0], given), []
    if text.startswith(("Invalid enum value", "Invalid value")):
        return "literal_error", []
    if match := _BOUND.match(text):
        return _out_of_bounds(*match.groups()), []
    return "value_error", []


def _mistyped(expected: str, given: Any) -> str:
    if expected in _PARSED_FROM_TEXT and isinstance(given, str):
        return f"{expected}_parsing"
    if expected == "bool" and isinstance(given, int | float):
        return "bool_parsing"
    if expected == "int" and isinstance(given, float):
        return "int_from_float"
    return f"{_TYPE_NAMES.get(expected, expected)}_type"


def _out_of_bounds(expected: str, is_length: str | None, bound: str) -> str:
    if not is_length:
        return _BOUND_NAMES[bound]
    return f"string_{_LENGTH_NAMES[bound]}" if expected == "str" else _LENGTH_NAMES[bound]


def _path(text: str) -> list[str | int]:
    """`$.data.items[0].x` as `["data", "items", 0, "x"]`."""
    steps = _PATH_STEP.finditer(text)
    return [int(step[2]) if step[2] else step[1] for step in steps if step[1] or step[2]]


def _look_up(value: Any, place: list[str | int]) -> Any:
    """What stands at the place, or None where nothing does."""
    for key in place:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def json_schema(kind: Any) -> dict[str, Any]:
    """JSON Schema 2020-12 of a type, its own object inlined at the top level."""
    if hasattr(kind, "model_json_schema"):
        return _foreign_schema(kind)
    (schema,), definitions = msgspec.json.schema_components(
        [kind], schema_hook=_foreign_schema, ref_template="#/$defs/{name}"
    )
    definitions |= _hoisted([schema]) | _hoisted(definitions)
    for each in (schema, *definitions.values()):
        _tidy(each)
    name = schema.get("$ref", "").rpartition("/")[2]
    if name:
        schema = dict(definitions[name])
    if name and not _mentions(definitions, name):
        del definitions[name]
    config = getattr(kind, "__struct_config__", None)
    if config is not None and config.tag is not None:
        _untag(schema, config.tag_field, config.tag)
    if schema.get("type") == "object":
        schema.setdefault("additionalProperties", True)
    return {**schema, "$defs": definitions} if definitions else schema


def _tidy(schema: dict[str, Any]) -> None:
    """Leave out an empty list of required fields, and the indentation of a docstring."""
    if not schema.get("required", True):
        del schema["required"]
    if "description" in schema:
        schema["description"] = inspect.cleandoc(schema["description"])


def _untag(schema: dict[str, Any], field: str, tag: str | int) -> None:
    """A type that stands alone is decoded without its tag, so the tag is a default."""
    kind = "string" if isinstance(tag, str) else "integer"
    constant = {"type": kind, "const": tag, "default": tag}
    schema["properties"] = {**schema["properties"], field: constant}
    schema["required"] = [name for name in schema["required"] if name != field]
    _tidy(schema)


def is_supported(kind: Any) -> bool:
    """Whether values of the type can be decoded and described."""
    if kind in _SIMPLE:
        return True
    try:
        json_schema(kind)
        msgspec.json.Decoder(kind)
    except (TypeError, NotImplementedError, AttributeError):
        return False
    return True


def _hoisted(schema: Any) -> dict[str, Any]:
    """Take the definitions that foreign models brought along out of the places they stand in."""
    found: dict[str, Any] = {}
    if isinstance(schema, dict):
        found.update(schema.pop("$defs", {}))
    for part in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(part, dict | list):
            found.update(_hoisted(part))
    return found


def _mentions(definitions: dict[str, Any], name: str) -> bool:
    """Whether a type refers to itself, directly or through others."""
    return f'"#/$defs/{name}"' in json.dumps(definitions)
