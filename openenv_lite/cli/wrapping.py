"""An author's own class, as what a template wraps."""

import inspect
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_type_hints

from openenv_lite.errors import ConfigurationError
from openenv_lite.loading import attribute, search_in
from openenv_lite.tools import RESERVED_TOOL_NAMES

__all__ = ["wrapping"]

_ROOM = 87
"""Characters for a tuple on a line of the template."""

_MANY = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def wrapping(files: Mapping[str, str], target: str, package: str, tag: str) -> dict[str, str]:
    """The files of the template `wrap`, for one class.

    Args:
        files: By their paths.
        target: `module:Class`; the module can be imported, from the working directory too.
        package: Its name.
        tag: What kind of environment it is, for its readers.

    Raises:
        ConfigurationError: There is no such class, it cannot be built without arguments, it has no
            method with type hints, or its module would be hidden by the package.
    """
    module, _, name = target.partition(":")
    _check_module(module.partition(".")[0], package)
    kind = _class_named(module, name)
    words = {
        "my_domain": module,
        "MyDomain": name,
        '("method",)': _tuple(_methods(kind, target)),
        '("property",)': _tuple(_properties(kind)),
        "my-tag": tag,
    }
    return {path: _with(text, words) for path, text in files.items()}


def _check_module(module: str, package: str) -> None:
    if module in {package, "models", "server"}:
        raise ConfigurationError(
            f"The package {package} would hide the module {module!r}, which has the class: "
            "choose another name for one of them"
        )


def _class_named(module: str, name: str) -> type:
    if not name.isidentifier():
        raise ConfigurationError(f"--wrap {module}: name the class too, as MODULE:CLASS")
    search_in(Path.cwd())
    kind = attribute(module, name)
    if not inspect.isclass(kind):
        raise ConfigurationError(f"{module}:{name} is no class: --wrap takes a class")
    parameters = list(inspect.signature(kind).parameters.values())
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in _MANY]
    if needed:
        raise ConfigurationError(
            f"{name} needs {', '.join(needed)}, but each session builds one without arguments: "
            "give defaults, or wrap a subclass that has them"
        )
    return kind


def _methods(kind: type, target: str) -> list[str]:
    """Public methods whose every parameter has a type, in the order of the class."""
    found = [name for name in _public(kind) if _is_typed_method(kind, name)]
    if not found:
        raise ConfigurationError(
            f"{target} has no public method with type hints to make a tool of: add hints, as in "
            "def move(self, steps: int) -> str"
        )
    return found


def _public(kind: type) -> Iterable[str]:
    names = dict.fromkeys(name for each in reversed(kind.__mro__[:-1]) for name in vars(each))
    return [name for name in names if not name.startswith("_")]


def _is_typed_method(kind: type, name: str) -> bool:
    method = inspect.getattr_static(kind, name)
    if not inspect.isfunction(method) or name.casefold() in RESERVED_TOOL_NAMES:
        return False
    parameters = list(inspect.signature(method).parameters.values())[1:]
    named = all(p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) for p in parameters)
    hints = _hints(method)
    return named and bool(hints) and {p.name for p in parameters} <= hints.keys()


def _hints(function: Any) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except (NameError, TypeError, AttributeError):
        return {}


def _properties(kind: type) -> list[str]:
    counted = {"episode_id", "step_count"}  # the base class's own
    found = (name for name in _public(kind) if name not in counted)
    return [name for name in found if isinstance(inspect.getattr_static(kind, name), property)]


def _tuple(names: list[str]) -> str:
    quoted = [f'"{name}"' for name in names]
    line = f"({', '.join(quoted)}{',' if len(quoted) == 1 else ''})"
    return line if len(line) < _ROOM else "".join(["(\n", *(f"    {q},\n" for q in quoted), ")"])


def _with(text: str, words: Mapping[str, str]) -> str:
    for word, other in words.items():
        text = text.replace(word, other)
    return text
