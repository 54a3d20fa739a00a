"""A JSON Schema's properties as inputs of a page, and back as plain values."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import gradio as gr

from openenv_lite import codec

__all__ = ["Field", "Form", "action_fields", "fields_of"]

_SCALARS = ("string", "integer", "number", "boolean")
_LONG = ("code", "message", "text", "content", "prompt", "answer", "response")


class Field(NamedTuple):
    """One property; of a schema without any, the whole under an empty name."""

    name: str
    schema: dict[str, Any]
    is_required: bool

    @property
    def kind(self) -> str:
        """`select`, a JSON Schema type that is no object and no array, or `json`."""
        if "enum" in self.schema:
            return "select"
        kind = self.schema.get("type")
        return kind if kind in _SCALARS else "json"

    @property
    def is_long(self) -> bool:
        """Whether one line may be too little."""
        return self.schema.get("maxLength", 0) > 100 or any(w in self.name.lower() for w in _LONG)


def fields_of(schema: dict[str, Any]) -> list[Field]:
    """What a person has to fill in; constants and `metadata` are left out."""
    whole = _resolved(schema, schema)
    required = set(whole.get("required", ()))
    found = {name: _resolved(each, schema) for name, each in whole.get("properties", {}).items()}
    fields = [Field(name, each, name in required) for name, each in found.items()]
    if not fields and ("anyOf" in schema or "oneOf" in schema):
        return [Field("", {}, is_required=True)]
    return [each for each in fields if each.name != "metadata" and "const" not in each.schema]


def _resolved(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Without `$ref`, and `X | None` as `X`."""
    if "$ref" in part:
        named = schema.get("$defs", {}).get(part["$ref"].rpartition("/")[2], {})
        part = {**named, **{name: part[name] for name in part if name != "$ref"}}
    kinds = [each for each in part.get("anyOf", ()) if each.get("type") != "null"]
    if len(kinds) == 1:
        kept = {name: part[name] for name in part if name != "anyOf"}
        return {**_resolved(kinds[0], schema), **kept}
    return part


class Form:
    """Inputs for the properties of a schema; make it where they are to stand."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._fields = fields_of(schema)
        self.inputs = [_input(each) for each in self._fields]

    def values(self, given: Sequence[Any]) -> Any:
        """What was filled in, without what was left empty.

        Raises:
            InvalidJSONError: What should be JSON is not.
        """
        pairs = list(zip(self._fields, given, strict=True))
        told = {each.name: _value(each, value) for each, value in pairs if _is_told(each, value)}
        return told.get("") if self._fields and not self._fields[0].name else told


def _is_told(field: Field, value: Any) -> bool:
    return value is not None and (value != "" or (field.is_required and field.kind == "string"))


def _value(field: Field, value: Any) -> Any:
    return codec.parse(value) if field.kind == "json" and isinstance(value, str) else value


def _input(field: Field) -> Any:
    default = field.schema.get("default")
    label = f"{field.name or 'action'}{' (JSON)' if field.kind == 'json' else ''}"
    shown = {"label": label, "info": field.schema.get("description")}
    if field.kind == "select":
        choices = field.schema["enum"]
        return gr.Dropdown(choices, value=choices[0] if field.is_required else default, **shown)
    if field.kind == "boolean":
        return gr.Checkbox(value=bool(default), **shown)
    if field.kind in ("integer", "number") and (field.is_required or default is not None):
        precision = 0 if field.kind == "integer" else None
        return gr.Number(value=default or 0, precision=precision, **shown)
    if field.kind == "json" and default is not None:
        default = json.dumps(default)
    lines = 3 if field.is_long or field.kind == "json" else 1
    return gr.Textbox(value=default or "", lines=lines, max_lines=20, **shown)


def action_fields(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The fields as OpenEnv gives them to a `gradio_builder`."""
    kinds = {"select": "select", "boolean": "checkbox", "integer": "number", "number": "number"}
    return [
        {
            "name": each.name,
            "type": kinds.get(each.kind, "textarea" if each.is_long else "text"),
            "required": each.is_required,
            "description": each.schema.get("description", ""),
            "default_value": each.schema.get("default"),
            "choices": each.schema.get("enum"),
            "min_value": each.schema.get("minimum"),
            "max_value": each.schema.get("maximum"),
            "min_length": each.schema.get("minLength"),
            "max_length": each.schema.get("maxLength"),
            "pattern": each.schema.get("pattern"),
            "placeholder": f"Enter {each.name.replace('_', ' ')}...",
            "help_text": each.schema.get("description", ""),
        }
        for each in fields_of(schema)
    ]
