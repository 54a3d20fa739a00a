"""From a class of OpenEnv's to one of ours that keeps an instance of it.

Whoever names such a class has imported `openenv` already, so its modules are looked up and never
imported.
"""

import sys
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, get_args, get_origin

from openenv_lite.originals.wrapping import wrapped
from openenv_lite.originals.wrapping_actions import wrapped_with_actions
from openenv_lite.originals.wrapping_tools import wrapped_with_tools
from openenv_lite.signature import parameter_type, return_type
from openenv_lite.types import CallToolAction, CallToolObservation, State

__all__ = ["Adopted", "adopted", "is_original"]

_SERVER = "openenv.core.env_server"

_TOOL_ACTIONS = ("CallToolAction", "ListToolsAction")

Types = tuple[Any, Any, Any]
"""Of action, observation and state; None where nobody told."""


class Adopted(NamedTuple):
    """What is to be served."""

    factory: Callable[[], Any]
    kind: type
    types: Types


def adopted(factory: Callable[[], Any], kind: type, types: Types) -> Adopted:
    """What serves environments of the class: as they are, unless it is one of OpenEnv's.

    Args:
        factory: What makes them.
        kind: Their class.
        types: As far as they were told.
    """
    if not is_original(kind):
        return Adopted(factory, kind, types)
    if _derives(kind, "mcp_environment", "MCPEnvironment"):
        original = _original("mcp_environment", "MCPEnvironment")
        ours = wrapped_with_tools(factory, kind, original)
        return Adopted(ours, ours, _tool_types(kind, types))
    base = _original("interfaces", "Environment")
    read = _read_types(kind, types)
    if read[0] in {_original("mcp_types", name) for name in _TOOL_ACTIONS}:
        ours = wrapped_with_actions(factory, kind, base)
        return Adopted(ours, ours, _tool_types(kind, types))
    ours = wrapped(factory, kind, base)
    return Adopted(ours, ours, read)


def is_original(kind: type) -> bool:
    """Whether it is an environment class of OpenEnv's."""
    return _derives(kind, "interfaces", "Environment")


def _original(module: str, name: str) -> Any:
    """A name of OpenEnv's server; None while nobody has imported it."""
    return getattr(sys.modules.get(f"{_SERVER}.{module}"), name, None)


def _derives(kind: type, module: str, name: str) -> bool:
    original = _original(module, name)
    return original is not None and issubclass(kind, original)


def _read_types(kind: type, given: Types) -> Types:
    """Each as told, else from the class's generics, else from what `step` and `state` say."""
    generics = _generics(kind)
    hinted = (parameter_type(_step(kind), 1), return_type(_step(kind)), _state_type(kind))
    bases = tuple(_original("types", name) for name in ("Action", "Observation", "State"))
    action, observation, state = (
        next(each for each in every if each is not None)
        for every in zip(given, generics, map(_type_or_none, hinted), bases, strict=True)
    )
    return action, observation, state


def _step(kind: Any) -> Any:
    inherited = vars(_original("interfaces", "Environment"))["step_async"]
    return kind.step if kind.step_async is inherited else kind.step_async


def _state_type(kind: Any) -> Any:
    getter = getattr(kind.state, "fget", None)
    return None if getter is None else return_type(getter)


def _type_or_none(hint: Any) -> Any:
    return hint if isinstance(hint, type) and hasattr(hint, "model_validate") else None


def _generics(kind: type) -> Types:
    """What the class, or the nearest of its bases that does, names in `Environment[...]`."""
    for each in kind.__mro__:
        for base in vars(each).get("__orig_bases__", ()):
            if get_origin(base) is _original("interfaces", "Environment"):
                found = [*map(_named, get_args(base)), None, None, None]
                return found[0], found[1], found[2]
    return None, None, None


def _named(argument: Any) -> Any:
    return None if isinstance(argument, TypeVar) or not isinstance(argument, type) else argument


def _tool_types(kind: type, given: Types) -> Types:
    """Their words for a tool call are ours; an action type of the author's own stays."""
    own = {_original("types", "Action"), _original("types", "Observation")}
    names = (*_TOOL_ACTIONS, "CallToolObservation", "ListToolsObservation")
    own |= {_original("mcp_types", name) for name in names}
    action, observation, state = (None if each in own else each for each in given)
    state = state or _type_or_none(_state_type(kind))
    if action is not None:  # and so its results are the author's too, if only by OpenEnv's type
        observation = given[1]
    return action or CallToolAction, observation or CallToolObservation, state or State
