"""What a callable takes, read once: names, types, defaults, JSON Schema, and a checked binding."""

import contextlib
import functools
import inspect
import re
from collections.abc import Callable, Mapping
from types import SimpleNamespace, UnionType
from typing import (
    Annotated,
    Any,
    NotRequired,
    Required,
    TypedDict,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from openenv_lite import codec
from openenv_lite.errors import ConfigurationError, InvalidArgumentsError, InvalidMessageError

__all__ = [
    "Signature",
    "argument_descriptions",
    "call_signature",
    "is_async",
    "parameter_type",
    "return_type",
]

MOST_NAMED = 10
"""Unexpected arguments that a refusal lists."""

_EXACT = (str, int, bool)
"""Types of which a value needs no conversion."""

_UNRESOLVABLE = (NameError, SyntaxError, TypeError, AttributeError)
"""A name local to the author's function, prose, or an object without hints."""

_KEYWORDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_ARGUMENT_LINE = re.compile(r"^(\w+)\s*(?:\([^)]*\))?:\s*(.+)$")


class Signature:
    """The keyword arguments of a callable.

    Args:
        function: A function or method. Annotations that cannot be resolved, or whose
            values JSON cannot carry, count as `Any`.
        passed: How many of the first parameters the caller fills in itself (`self`, the action).
        filled: A type; parameters annotated with it are no arguments either.

    Attributes:
        takes_any: Whether it takes arguments of any name.
        required: Arguments without a default.
        filled: Parameters of the type `filled`, which the caller fills in.
    """

    def __init__(
        self, function: Callable[..., Any], passed: int = 0, filled: type | None = None
    ) -> None:
        parameters = list(inspect.signature(function).parameters.values())
        hints = _hints(function)
        self.takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
        self.filled = tuple(p.name for p in parameters if _names(hints.get(p.name), filled))
        self._passed = {*(p.name for p in parameters[:passed]), *self.filled}
        open_to_peers = [p for p in parameters[passed:] if p.name not in self.filled]
        self._known = {p.name: p for p in open_to_peers if p.kind in _KEYWORDS}
        self.required = frozenset(n for n, p in self._known.items() if p.default is p.empty)
        nameless = [p.name for p in open_to_peers if p.kind is p.POSITIONAL_ONLY]
        if nameless:
            raise ConfigurationError(
                f"{function!r}: {nameless[0]!r} is positional-only, but arguments come by name"
            )
        self._kind = _typed_dict(hints, self._known)
        self._exact = {n: hints[n] for n in self._known if hints.get(n) in _EXACT}
        self._described = argument_descriptions(inspect.getdoc(function) or "")

    @property
    def names(self) -> list[str]:
        """The arguments it names, in its order."""
        return list(self._known)

    def bind(self, arguments: Mapping[str, Any], filling: Any = None) -> dict[str, Any]:
        """The arguments converted to their types; the callable's own defaults stay its own.

        Args:
            arguments: By name.
            filling: What the parameters `filled` get.

        Raises:
            InvalidArgumentsError: One is missing, mistyped, or taken by nobody.
        """
        exact = self._exact
        for name, value in arguments.items():
            if exact.get(name) is not type(value):
                break
        else:  # nothing to convert: the shortest way, and the most frequent
            if len(arguments) == len(self._known) or self.required <= arguments.keys():
                return self._with(filling, arguments) if self.filled else dict(arguments)
        unknown = [] if self.takes_any else [n for n in arguments if n not in self._known]
        if unknown:
            known = ", ".join(self._known) or "none"
            raise InvalidArgumentsError(
                f"Unexpected argument {unknown[0][:100]!r}; takes: {known}",
                errors=[_unexpected(name, arguments[name]) for name in unknown[:MOST_NAMED]],
            )
        return self._with(filling, self.bind_known(arguments))

    def _with(self, filling: Any, bound: Mapping[str, Any]) -> dict[str, Any]:
        given = {} if filling is None else dict.fromkeys(self.filled, filling)
        return {**bound, **given}

    def bind_known(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """As `bind`, but arguments that nobody takes are dropped, as OpenEnv drops them."""
        try:
            bound: dict[str, Any] = codec.convert(dict(arguments), self._kind)
        except InvalidMessageError as error:
            raise InvalidArgumentsError(_summary(error), **error.details) from None
        if self.takes_any:
            others = {name: arguments[name] for name in arguments if name not in self._passed}
            return {**others, **bound}
        return bound

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments as one object, with defaults and docstring texts."""
        schema = codec.json_schema(self._kind)
        schema.pop("title", None)
        schema["additionalProperties"] = self.takes_any
        for name, field in schema.get("properties", {}).items():
            if self._known[name].default is not inspect.Parameter.empty:
                field.update(_default_of(self._known[name]))
            if name in self._described:
                field.setdefault("description", self._described[name])
        return schema


def is_async(function: Any) -> bool:
    """Whether calling it gives an awaitable; looks through decorators that kept `__wrapped__`."""
    unwrapped = inspect.unwrap(function)
    as_object = getattr(unwrapped, "__call__", None)  # noqa: B004  asked for, not tested
    return any(map(inspect.iscoroutinefunction, (unwrapped, as_object)))


def call_signature(function: Callable[..., Any]) -> inspect.Signature:
    """What a call takes; of a class its constructor, which `Environment.__new__` hides."""
    if not inspect.isclass(function):
        return inspect.signature(function)
    if function.__init__ is object.__init__:
        return inspect.Signature()
    try:
        parameters = [*inspect.signature(function.__init__).parameters.values()]
    except ValueError:  # it is written in C and does not tell
        return inspect.signature(_anything)
    return inspect.Signature(parameters[1:])


def _anything(*args: Any, **kwargs: Any) -> None:
    """Takes whatever it is given."""


def return_type(function: Callable[..., Any]) -> Any:
    """The annotated return type, or None where there is none or it cannot be resolved."""
    return _hints(function).get("return")


def parameter_type(function: Callable[..., Any], place: int) -> Any:
    """The annotated type of a parameter, or None where there is none or it cannot be resolved."""
    names = [*inspect.signature(function).parameters]
    return _hints(function).get(names[place]) if place < len(names) else None


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    while isinstance(function, functools.partial):
        function = function.func
    if not (inspect.isroutine(function) or inspect.isclass(function)):
        function = type(function).__call__  # an object; its own annotations are of its fields
    try:
        return get_type_hints(function, include_extras=True)
    except _UNRESOLVABLE:
        return _hints_one_by_one(function)


def _hints_one_by_one(function: Any) -> dict[str, Any]:
    """Those that can be resolved, so that one that cannot takes no other with it."""
    found: dict[str, Any] = {}
    names = getattr(inspect.unwrap(function), "__globals__", {})
    for name, annotation in getattr(function, "__annotations__", {}).items():
        alone = SimpleNamespace(__annotations__={name: annotation})
        with contextlib.suppress(*_UNRESOLVABLE):
            found.update(get_type_hints(alone, names, include_extras=True))
    return found


def _names(hint: Any, kind: type | None) -> bool:
    """Whether a hint is the type, or a union or `Annotated` that holds it."""
    if get_origin(hint) in (Annotated, Union, UnionType):
        return any(_names(each, kind) for each in get_args(hint))
    return kind is not None and hint is kind


def _typed_dict(hints: dict[str, Any], known: dict[str, inspect.Parameter]) -> Any:
    fields: dict[str, Any] = {}
    for name, parameter in known.items():
        hint = hints.get(name, Any)
        needed = Required if parameter.default is parameter.empty else NotRequired
        fields[name] = needed[hint if codec.is_supported(hint) else Any]
    return TypedDict("Arguments", fields)  # type: ignore[operator]


def _default_of(parameter: inspect.Parameter) -> dict[str, Any]:
    try:
        codec.encode(parameter.default)
    except codec.UNSENDABLE:
        return {}
    return {"default": parameter.default}


def _unexpected(name: str, given: Any) -> dict[str, Any]:
    text = f"Object contains unknown field `{name[:100]}`"
    given = codec.repeatable(given)
    return {"type": "extra_forbidden", "loc": [name[:100]], "msg": text, "input": given}


def _summary(error: InvalidMessageError) -> str:
    first = error.errors[0] if error.errors else {"loc": [], "msg": error.message}
    place = ".".join(str(step) for step in first["loc"])
    return f"Invalid argument {place!r}: {first['msg']}" if place else str(first["msg"])


def argument_descriptions(docstring: str) -> dict[str, str]:
    """The texts of a Google-style `Args:` section, a name each; deeper lines go on with a text."""
    _, _, section = docstring.partition("Args:\n")
    body, _, _ = section.partition("\n\n")
    margin = _depth(body)
    found: dict[str, str] = {}
    for line in body.splitlines():
        match = _ARGUMENT_LINE.match(line.strip())
        if found and _depth(line) > margin:
            found[[*found][-1]] += f" {line.strip()}"
        elif match:
            found[match[1]] = match[2]
    return found


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
