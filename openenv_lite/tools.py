"""Tools: functions an agent may call, their JSON Schema read from signature and docstring."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, overload

from openenv_lite.errors import ConfigurationError, UnknownToolError
from openenv_lite.signature import Signature, is_async
from openenv_lite.types import ServerMode, ToolSpec

__all__ = ["RESERVED_TOOL_NAMES", "Tool", "ToolRegistry"]

F = TypeVar("F", bound=Callable[..., Any])

RESERVED_TOOL_NAMES = frozenset({"reset", "step", "state", "close"})
"""Controls of the trainer. No tool may carry such a name, in whatever case."""


class Tool:
    """One function an agent may call.

    Args:
        function: Called directly with the validated arguments; sync or async.
        name: What the model calls it; the function's name by default.
        description: What the model reads; the docstring by default.
        mode: The one mode it exists in; both by default.
        input_schema: Overrides the schema read from the signature.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        mode: ServerMode | str | None = None,
        input_schema: dict[str, Any] | None = None,
    ) -> None:
        self.function = function
        self.name = _allowed(name or _name_of(function))
        self.mode = _mode(mode)
        self.is_async = is_async(function)
        self.signature = Signature(function)
        self.spec = ToolSpec(
            name=self.name,
            description=_first(description, inspect.getdoc(function), ""),
            input_schema=_first(input_schema, self.signature.json_schema()),
        )


class ToolRegistry:
    """The tools of one environment, in the order in which they were added.

    Called, it is the decorator that adds one: `@tools`, or `@tools(mode="simulation")`.
    """

    def __init__(self) -> None:
        self._tools: dict[str, dict[ServerMode | None, Tool]] = {}

    def add(self, tool: Tool) -> None:
        """Add a tool; one of the same name and mode is replaced."""
        self._tools.setdefault(tool.name, {})[tool.mode] = tool

    def get(self, name: str, mode: ServerMode) -> Tool:
        """The tool of this name in this mode.

        Raises:
            UnknownToolError: There is none, or only in the other mode.
        """
        variants = self._tools.get(name, {})
        tool = variants.get(mode) or variants.get(None)
        if tool is None:
            raise UnknownToolError(f"Unknown tool: {name!r}")
        return tool

    def list(self, mode: ServerMode) -> list[ToolSpec]:
        """What a model is shown in this mode."""
        found = (
            variants.get(mode) or variants.get(None) for variants in list(self._tools.values())
        )
        return [tool.spec for tool in found if tool is not None]

    @overload
    def __call__(self, function: F) -> F: ...

    @overload
    def __call__(
        self,
        function: None = None,
        *,
        mode: ServerMode | str | None = None,
        name: str | None = None,
        description: str | None = None,
    ) -> Callable[[F], F]: ...

    def __call__(self, function: F | None = None, **options: Any) -> F | Callable[[F], F]:
        """Add the decorated function, which stays as it is."""

        def register(function: F) -> F:
            self.add(Tool(function, **options))
            return function

        return register if function is None else register(function)


def _name_of(function: Callable[..., Any]) -> str:
    name: str | None = getattr(function, "__name__", None)
    if name is None:
        raise ConfigurationError(f"{function!r} has no name of its own; give the tool a `name=`")
    return name


def _allowed(name: str) -> str:
    if name.strip().casefold() in RESERVED_TOOL_NAMES:
        raise ConfigurationError(
            f"Tool name {name!r} is reserved for the trainer's controls "
            f"({', '.join(sorted(RESERVED_TOOL_NAMES))}). Rename the tool."
        )
    return name


def _mode(mode: ServerMode | str | None) -> ServerMode | None:
    if mode is None:
        return None
    try:
        return ServerMode(mode)
    except ValueError:
        modes = ", ".join(repr(each.value) for each in ServerMode)
        raise ConfigurationError(f"Invalid mode {mode!r} of a tool; use {modes} or None") from None


def _first(*candidates: Any) -> Any:
    return next(candidate for candidate in candidates if candidate is not None)
