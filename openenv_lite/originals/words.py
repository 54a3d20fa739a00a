"""OpenEnv's words for tools as ours, and back: its two actions and two observations."""

import functools
import sys
from collections.abc import Callable
from typing import Any

from openenv_lite import codec
from openenv_lite.signature import is_async
from openenv_lite.types import (
    CallToolAction,
    CallToolObservation,
    ListToolsAction,
    ListToolsObservation,
)

__all__ = ["translated"]

_WORDS = "openenv.core.env_server.mcp_types"
_OURS: dict[str, type] = {
    "CallToolObservation": CallToolObservation,
    "ListToolsObservation": ListToolsObservation,
}


def translated(step: Callable[..., Any]) -> Callable[..., Any]:
    """A step of theirs that takes our tool actions and gives our tool observations."""

    @functools.wraps(step)
    def plain(self: Any, action: Any, *args: Any, **kwargs: Any) -> Any:
        return _ours(step(self, _theirs(action), *args, **kwargs))

    @functools.wraps(step)
    async def awaiting(self: Any, action: Any, *args: Any, **kwargs: Any) -> Any:
        return _ours(await step(self, _theirs(action), *args, **kwargs))

    return awaiting if is_async(step) else plain


def _theirs(action: Any) -> Any:
    words: Any = sys.modules[_WORDS]
    if isinstance(action, CallToolAction):
        return words.CallToolAction(**codec.to_builtins(action))
    if isinstance(action, ListToolsAction):
        return words.ListToolsAction(metadata=action.metadata)
    return action


def _ours(observation: Any) -> Any:
    """Only their own two types; what an author derived from them has fields we do not know."""
    kind = _OURS.get(type(observation).__name__)
    if kind is None or type(observation).__module__ != _WORDS:
        return observation
    return codec.convert(codec.to_builtins(observation), kind)
