"""Tools as methods with type hints and Google docstrings, from which `transformers` reads schemas.

Its parser has no escapes: a word with a colon may begin a section. Such words get a blank before
the colon, and everything an argument has to say stands on one line.
"""

import inspect
import keyword
import re
from collections.abc import Callable, Container, Mapping
from typing import Any, NamedTuple

from openenv_lite import codec
from openenv_lite.client.described import Schema
from openenv_lite.signature import argument_descriptions
from openenv_lite.trainers.hints import hint_of, inlined
from openenv_lite.types import ToolSpec

__all__ = ["Call", "attribute_name", "method_of"]

Call = Callable[[Any, str, Mapping[str, Any]], Any]
"""From `self`, the tool's name and its arguments to what the model is told."""

_SECTION = re.compile(r"(Args|Returns|Raises|\((?i:choices)):")
_ESCAPED_COLON = "\\u003a"
_SECTIONS = ("Args", "Returns", "Raises")
_ARGS = re.compile(r"^Args:\n(?:[ \t]+.*(?:\n|\Z))*\n*", re.MULTILINE)
_ODD = re.compile(r"[^0-9A-Za-z_]")
_CONTROLS = {"reset", "get_reward"}


class _Parameter(NamedTuple):
    """A parameter of a tool: its name there, and as Python and a docstring have it."""

    own_name: str
    shown: inspect.Parameter
    text: str


def method_of(tool: ToolSpec, call: Call) -> Callable[..., Any]:
    """A function to put on a class; its parameters are keywords.

    Args:
        tool: What it calls.
        call: How it does so.
    """
    parameters = _parameters(tool)
    own_names = {each.shown.name: each.own_name for each in parameters}
    is_plain = all(name == own for name, own in own_names.items())

    def method(self: Any, /, **arguments: Any) -> Any:
        if not is_plain:
            arguments = {own_names.get(name, name): each for name, each in arguments.items()}
        return call(self, tool.name, arguments)

    method.__name__ = method.__qualname__ = tool.name
    method.__doc__ = _docstring(tool, parameters)
    method.__annotations__ = {each.shown.name: each.shown.annotation for each in parameters}
    itself = inspect.Parameter(
        _python_name("self", {*own_names}), inspect.Parameter.POSITIONAL_ONLY
    )
    method.__signature__ = inspect.Signature([itself, *(each.shown for each in parameters)])  # type: ignore[attr-defined]
    return method


def attribute_name(tool: str, taken: Container[str]) -> str:
    """Under which name a class has a tool so that it counts as public, and as no control."""
    while tool.startswith("_") or tool in _CONTROLS or tool in taken:
        tool = f"tool_{tool}"
    return tool


def _parameters(tool: ToolSpec) -> list[_Parameter]:
    schema = tool.input_schema
    every = {**schema.get("definitions", {}), **schema.get("$defs", {})}
    definitions = {name: each for name, each in every.items() if isinstance(each, dict)}
    required = {*schema.get("required", ())}
    described = argument_descriptions(tool.description)
    found: list[_Parameter] = []
    for name, field in schema.get("properties", {}).items():
        field = inlined(field, definitions) if isinstance(field, dict) else {}
        hint = hint_of(field)
        shown = inspect.Parameter(
            _python_name(name, {each.shown.name for each in found}),
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if name in required else field.get("default"),
            annotation=hint.type,
        )
        text = _line(described.get(name, ""), hint.unsaid)
        found.append(_Parameter(name, shown, text or shown.name))
    return found


def _python_name(name: str, taken: set[str]) -> str:
    """A name that Python takes for a parameter, and a docstring for no section."""
    if not (name.isidentifier() and re.fullmatch(r"\w+", name)):
        name = _ODD.sub("_", name)
        name = name if name.isidentifier() else f"_{name}"
    while name in taken or keyword.iskeyword(name) or name in _SECTIONS:
        name += "_"
    return name


def _line(described: str, unsaid: Schema) -> str:
    """What a docstring says of an argument: its description, and what its type hint cannot say."""
    words = " ".join(str(unsaid.pop("description", "") or described).split())
    text = _harmless(words, " :")
    if not unsaid:
        return text
    rest = _harmless(codec.encode(unsaid).decode(), _ESCAPED_COLON)
    return f"{text} JSON Schema: {rest}".strip()


def _docstring(tool: ToolSpec, parameters: list[_Parameter]) -> str:
    described = inspect.cleandoc(_ARGS.sub("", inspect.cleandoc(tool.description)))
    text = _harmless(described or f"The tool {tool.name}.", " :")
    if not parameters:
        return text
    lines = [f"    {each.shown.name}: {each.text}" for each in parameters]
    return "\n".join([text, "", "Args:", *lines])


def _harmless(text: str, colon: str) -> str:
    """The text with another colon wherever it would begin a section."""
    return _SECTION.sub(lambda found: found[1] + colon, text)
