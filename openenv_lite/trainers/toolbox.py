"""What a model may call in an environment: its tools, or its action in their place."""

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from openenv_lite.client.described import Schema
from openenv_lite.errors import ConfigurationError, InvalidArgumentsError, UnknownToolError
from openenv_lite.tools import is_reserved
from openenv_lite.types import ToolSpec

__all__ = ["Toolbox"]

_BESIDE = "metadata"
"""The field of every action that is not for a model."""

_WHOLE = "action"
"""The only parameter where the action is no object with fields."""

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class _Object(msgspec.Struct):
    """What must be true of a JSON Schema before anything can be read in it."""

    title: str = ""
    description: str = ""
    properties: dict[str, dict[str, Any] | bool] = {}
    required: list[str] = []
    defs: dict[str, Any] = msgspec.field(default_factory=dict, name="$defs")
    definitions: dict[str, Any] = {}


class Toolbox(NamedTuple):
    """The tools of an environment. One without tools has its action as the only one.

    Attributes:
        tools: In the environment's order.
        form: What the arguments of a call are: a tool's own, the fields of an action, or
            under `action` the action itself.
        fixed: Fields of an action that can have one value only.
    """

    tools: tuple[ToolSpec, ...]
    form: Literal["tools", "fields", "whole"] = "tools"
    fixed: Mapping[str, Any] = {}

    @classmethod
    def of_tools(cls, listed: Any) -> "Toolbox":
        """What an environment answers to `list_tools`.

        Raises:
            ConfigurationError: A tool is named like a trainer's control, or cannot be read.
        """
        tools = tuple(_converted(listed, list[ToolSpec]))
        for tool in tools:
            _converted(tool.input_schema, _Object)
            _refuse_control(tool.name)
        return cls(tools)

    @classmethod
    def of_action(cls, schema: Schema) -> "Toolbox":
        """One tool that stands for an action, named after its class; `act` where that is no name.

        Args:
            schema: JSON Schema of the action; its fields are the tool's parameters. An action
                without fields is its parameter `action`.

        Raises:
            ConfigurationError: It cannot be read.
        """
        _converted(schema, _Object)
        fields = {k: v for k, v in schema.get("properties", {}).items() if k != _BESIDE}
        fixed = {name: _constant(field) for name, field in fields.items() if _is_fixed(field)}
        free = {name: field for name, field in fields.items() if name not in fixed}
        tool = ToolSpec(
            name=_name_of(schema),
            description=schema.get("description") or "Carry out one action.",
            input_schema=_parameters(schema, free) if fields else _whole(schema),
        )
        return cls((tool,), "fields" if fields else "whole", fixed)

    def action(self, name: str, arguments: Any) -> Any:
        """The action that carries out a call, as the model wrote it.

        Raises:
            InvalidArgumentsError: The arguments are no mapping.
            UnknownToolError: No tool has this name; the environment itself says so of its own.
        """
        if not isinstance(arguments, Mapping):
            raise InvalidArgumentsError("The arguments must be an object")
        if self.form == "tools":
            return {"type": "call_tool", "tool_name": name, "arguments": dict(arguments)}
        if name != self.tools[0].name:
            raise UnknownToolError(f"Unknown tool: {name[:100]!r}")
        return arguments.get(_WHOLE) if self.form == "whole" else {**_free(arguments), **self.fixed}


def _converted(told: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(told, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise ConfigurationError(f"What can be called there cannot be read: {error}") from error


def _free(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without what is not for a model to write, whatever it was told."""
    return {name: value for name, value in arguments.items() if name != _BESIDE}


def _refuse_control(name: str) -> None:
    if is_reserved(name):
        raise ConfigurationError(
            f"The environment has a tool {name!r}, which is a name of the trainer's controls: "
            "rename it there"
        )


def _name_of(schema: Schema) -> str:
    """`PlaceStone` as `place_stone`."""
    name = _WORDS.sub("_", schema.get("title", "")).lower()
    is_name = name.isidentifier() and not name.startswith("_") and not is_reserved(name)
    return name if is_name and name != _WHOLE else "act"


def _is_fixed(field: Any) -> bool:
    if not isinstance(field, dict):
        return False
    values = field.get("enum")
    return "const" in field or (isinstance(values, list) and len(values) == 1)


def _constant(field: Schema) -> Any:
    return field["const"] if "const" in field else field["enum"][0]


def _parameters(schema: Schema, fields: Schema) -> Schema:
    required = [name for name in schema.get("required", ()) if name in fields]
    definitions = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    return {"type": "object", "properties": fields, "required": required, **definitions}


def _whole(schema: Schema) -> Schema:
    inner = {key: value for key, value in schema.items() if key != "$defs"}
    return _parameters({**schema, "required": [_WHOLE]}, {_WHOLE: inner})
