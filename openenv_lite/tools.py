"""Tools: functions an agent may call, their JSON Schema read from signature and docstring."""

import functools
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, TypeVar, Unpack, get_args, overload

from openenv_lite import codec
from openenv_lite.content import Content, Message, Outcome, ToolResult, outcome_of, present
from openenv_lite.context import Context
from openenv_lite.errors import (
    ConfigurationError,
    InvalidArgumentsError,
    UnknownToolError,
)
from openenv_lite.offers import Offer, OfferOptions, Registry, accepted
from openenv_lite.schemas import check_of
from openenv_lite.signature import return_type
from openenv_lite.types import ServerMode, ToolSpec

__all__ = [
    "RESERVED_TOOL_NAMES",
    "Tool",
    "ToolOptions",
    "ToolRegistry",
    "ToolSource",
    "is_reserved",
]

F = TypeVar("F", bound=Callable[..., Any])

RESERVED_TOOL_NAMES = frozenset({"reset", "step", "state", "close"})
"""Controls of the trainer. No tool may carry such a name, in whatever case or letters."""

_UNSEEN = ("Cf", "Cc", "Zs")
"""Categories of characters that nobody sees in a name, or that are blanks."""

_WRAPPED = frozenset({"string", "integer", "number", "boolean"})
"""Kinds of values that stand under `result` in structured content, which is an object."""


class ToolOptions(OfferOptions, total=False):
    """How a tool is declared.

    Attributes:
        mode: The one mode it exists in; both by default.
        annotations: MCP's hints, sent as they are: `readOnlyHint`, `destructiveHint` and so on.
        input_schema: A JSON Schema in place of the one read from the signature, sent as it is.
        output_schema: Likewise of the structured content, else read from the return annotation.
        validate: Whether the given schemas are checked, which needs `jsonschema`; False where
            the function does so itself.
    """

    mode: ServerMode | str | None
    annotations: dict[str, Any] | None
    input_schema: dict[str, Any] | None
    output_schema: dict[str, Any] | None
    validate: bool


class Tool(Offer):
    """One function an agent may call.

    Attributes:
        mode: The one mode it exists in; None for both.
        repeated: Which arguments MCP's headers repeat, once somebody has looked.
        outcome: From the function's return value to what it says to the model; a ValueError where
            it does not fit the output schema that the author gave.
    """

    kind: ClassVar[str] = "Tool"

    def __init__(self, function: Callable[..., Any], **options: Unpack[ToolOptions]) -> None:
        given = self._given = accepted(options, ToolOptions)
        super().__init__(function, given["name"], given["description"])
        self.mode = _mode(given["mode"])
        inputs, outputs = given["input_schema"], given["output_schema"]
        validated = given["validate"] is not False
        self._check_input = self._check(inputs, "input_schema") if validated else None
        if self._check_input is not None:
            self.bind = self._checked_bind
        self._check_output = self._check(outputs, "output_schema") if validated else None
        self.outcome = outcome_of if self._check_output is None else self._checked_outcome
        self.repeated: tuple[tuple[tuple[str, ...], bytes], ...] | None = None

    # Sessions come by the hundred, and few are asked what tools they have.

    @functools.cached_property
    def spec(self) -> ToolSpec:
        """What OpenEnv tells of it."""
        schema = self._given["input_schema"]
        return ToolSpec(
            name=self.name,
            description=self.description,
            input_schema=self.signature.json_schema() if schema is None else schema,
        )

    @functools.cached_property
    def declaration(self) -> dict[str, Any]:
        """What MCP tells of it."""
        given, outputs = self._given, self._given["output_schema"]
        return present(
            name=self.name,
            title=given["title"],
            description=self.description or None,
            inputSchema=self.spec.input_schema,
            outputSchema=_output_schema(self.function) if outputs is None else outputs,
            annotations=given["annotations"],
            icons=given["icons"],
            _meta=given["meta"],
        )

    def renamed(self, name: str) -> "Tool":
        """The same tool under another name."""
        options: Any = {**self._given, "name": name}
        return Tool(self.function, **options)

    def _checked_bind(self, arguments: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
        if self._check_input is not None:
            self._check_input(arguments)
        return self.signature.bind(arguments, context)

    def _checked_outcome(self, value: Any) -> Outcome:
        outcome = outcome_of(value)
        if self._check_output is not None and not outcome.is_error:
            try:
                self._check_output(codec.parse(codec.encode(outcome.structured)))
            except InvalidArgumentsError as error:
                text = error.message.removeprefix("Invalid argument ")
                raise ValueError(f"its result does not fit its output schema: {text}") from None
        return outcome

    def _check(self, schema: dict[str, Any] | None, which: str) -> Any:
        return None if schema is None else check_of(schema, f"The {which} of tool {self.name!r}")


class ToolSource(Protocol):
    """Where tools come from that live elsewhere."""

    async def connect(self) -> list[Tool]:
        """Reach it, and list its tools ready to be called; where that fails, leave nothing open."""

    async def close(self) -> None:
        """Let go of it; called once after each `connect` that gave tools."""


class ToolRegistry(Registry[dict[ServerMode | None, Tool]]):
    """The tools of one environment, in the order in which they were added.

    Called, it is the decorator that adds one: `@tools`, or `@tools(mode="simulation")`.
    """

    def add(self, tool: Tool) -> None:
        """Add a tool; one of the same name and mode is replaced.

        Raises:
            ConfigurationError: The name is one of the trainer's controls.
        """
        _refuse_reserved(tool.name)

        def put(entries: dict[str, dict[ServerMode | None, Tool]]) -> None:
            entries[tool.name] = {**entries.get(tool.name, {}), tool.mode: tool}

        self._change(put)

    def remove(self, name: str) -> None:
        """Take away the tool of this name, in both modes.

        Raises:
            UnknownToolError: There is none.
        """
        if name not in self._entries:
            raise _unknown(name)
        self._change(lambda entries: entries.pop(name, None))

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def get(self, name: str, mode: ServerMode) -> Tool:
        """The tool of this name in this mode.

        Raises:
            UnknownToolError: There is none, or only in the other mode.
        """
        variants = self._entries.get(name, {})
        tool = variants.get(mode) or variants.get(None)
        if tool is None:
            raise _unknown(name)
        return tool

    def tools(self, mode: ServerMode) -> tuple[Tool, ...]:
        """Those that exist in this mode."""
        every = self._entries.values()
        found = (variants.get(mode) or variants.get(None) for variants in every)
        return tuple(tool for tool in found if tool is not None)

    def list(self, mode: ServerMode) -> list[ToolSpec]:
        """What a model is shown in this mode."""
        return [tool.spec for tool in self.tools(mode)]

    @overload
    def __call__(self, function: F) -> F: ...

    @overload
    def __call__(
        self, function: None = None, **options: Unpack[ToolOptions]
    ) -> Callable[[F], F]: ...

    def __call__(self, function: F | None = None, **options: Any) -> F | Callable[[F], F]:
        """Add the decorated function, which stays as it is; the options are `ToolOptions`."""

        def register(function: F) -> F:
            self.add(Tool(function, **options))
            return function

        return register if function is None else register(function)


def is_reserved(name: str) -> bool:
    """Whether a person or a model reads a control's name in it, however it is written."""
    wide = unicodedata.normalize("NFKC", name)
    seen = "".join(each for each in wide if unicodedata.category(each) not in _UNSEEN)
    return seen.strip().casefold() in RESERVED_TOOL_NAMES


def _refuse_reserved(name: str) -> None:
    if is_reserved(name):
        raise ConfigurationError(
            f"Tool name {name!r} is reserved for the trainer's controls "
            f"({', '.join(sorted(RESERVED_TOOL_NAMES))}). Rename the tool."
        )


def _unknown(name: str) -> UnknownToolError:
    return UnknownToolError(f"Unknown tool: {name!r}")


def _mode(mode: ServerMode | str | None) -> ServerMode | None:
    if mode is None:
        return None
    try:
        return ServerMode(mode)
    except ValueError:
        modes = ", ".join(repr(each.value) for each in ServerMode)
        raise ConfigurationError(f"Invalid mode {mode!r} of a tool; use {modes} or None") from None


def _output_schema(function: Callable[..., Any]) -> dict[str, Any] | None:
    """What the annotation tells of the structured content; None where it does not tell.

    A value that may be an object or may be none has no one place in structured content, so such
    an annotation counts as telling nothing.
    """
    kind = return_type(function)
    if kind in (None, Any) or _is_content(kind) or not codec.is_supported(kind):
        return None
    schema = codec.json_schema(kind)
    if schema.get("type") == "object":
        return schema
    if not _is_wrapped(schema):
        return None
    definitions = schema.pop("$defs", None)
    wrapper = {"type": "object", "properties": {"result": schema}, "required": ["result"]}
    return {**wrapper, "$defs": definitions} if definitions else wrapper


def _is_wrapped(schema: dict[str, Any]) -> bool:
    if "anyOf" in schema:
        return all(_is_wrapped(each) for each in schema["anyOf"])
    if "enum" in schema:
        return None not in schema["enum"]
    if schema.get("type") == "array":
        return bool(schema.get("items") or schema.get("prefixItems"))  # else it may hold media
    return schema.get("type") in _WRAPPED


def _is_content(kind: Any) -> bool:
    """Whether it is, or holds, what becomes a block rather than data."""
    if isinstance(kind, type) and issubclass(kind, Content | ToolResult | Message):
        return True
    foreign = hasattr(kind, "to_image_content") or hasattr(kind, "to_audio_content")
    return foreign or any(_is_content(each) for each in get_args(kind))
