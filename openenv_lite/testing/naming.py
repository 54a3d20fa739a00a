"""How Python calls what makes an environment, so that a counterexample can be run."""

import ast
import functools
import operator
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["Naming", "is_found_again", "named"]

_MADE_UP = ("__main__", "builtins")
"""Modules that are another one in each process, and those of code that was never in a file."""


class Naming(NamedTuple):
    """An import line (empty for none), and the expression that follows from it."""

    imports: str
    expression: str


def is_found_again(factory: Callable[[], Any]) -> bool:
    """Whether the naming leads back to the factory, in this process and in others."""
    if isinstance(factory, functools.partial):
        given = [*factory.args, *factory.keywords.values()]
        return all(map(_is_literal, given)) and is_found_again(factory.func)
    module = getattr(factory, "__module__", None)
    if module in _MADE_UP or module not in sys.modules:
        return False
    try:
        return operator.attrgetter(factory.__qualname__)(sys.modules[module]) is factory
    except AttributeError:
        return False


def _is_literal(value: Any) -> bool:
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (SyntaxError, ValueError):
        return False


def named(factory: Callable[[], Any]) -> Naming:
    """The naming of a class, a function, or a `functools.partial` of one."""
    if isinstance(factory, functools.partial):
        inner = named(factory.func)
        given = [*map(repr, factory.args), *(f"{k}={v!r}" for k, v in factory.keywords.items())]
        expression = f"partial({', '.join([inner.expression, *given])})"
        return Naming(f"from functools import partial\n{inner.imports}", expression)
    module, name = factory.__module__, factory.__qualname__
    if "<" in name:  # made within a function, so no import reaches it
        return Naming(f"# {name} of {module} must be at hand", name.rpartition(">.")[2])
    return Naming(f"from {module} import {name.partition('.')[0]}", name)
