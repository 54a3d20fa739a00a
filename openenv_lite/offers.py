"""What tools, resources and prompts share: an author's function that a peer may have called."""

import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Generic, NamedTuple, TypedDict, TypeVar

from openenv_lite.context import Context
from openenv_lite.errors import ConfigurationError
from openenv_lite.signature import Signature, is_async

__all__ = [
    "Completer",
    "Completion",
    "Offer",
    "OfferOptions",
    "Registry",
    "accepted",
    "completions_of",
]

EntryT = TypeVar("EntryT")

Completer = Sequence[str] | Callable[[str, dict[str, str]], Any]
"""What an argument may be completed to: all its values, or a function, sync or async, that gives a
list of them for the text so far and the arguments given already."""


class OfferOptions(TypedDict, total=False):
    """How an offer is shown; `icons` and `meta` (as `_meta`) are sent as they are."""

    name: str | None
    title: str | None
    description: str | None
    icons: list[dict[str, Any]] | None
    meta: dict[str, Any] | None


class Offer:
    """One function that a peer may have called.

    Attributes:
        function: The author's; sync or async.
        name: What the peer calls it; the function's name by default.
        description: What the peer reads; the docstring by default.
        signature: Its arguments; a parameter annotated `Context` is none of them.
        kind: What it is called in an error's text.
        bind: From the arguments of a call and its context to keyword arguments, checked and
            converted; InvalidArgumentsError where they do not fit.
    """

    kind: ClassVar[str]
    bind: Callable[[Mapping[str, Any], Context], Mapping[str, Any]]

    def __init__(
        self, function: Callable[..., Any], name: str | None, description: str | None
    ) -> None:
        self.function = function
        self.name = name or _name_of(function)
        given = inspect.getdoc(function) if description is None else description
        self.description = given or ""
        self.is_async = is_async(function)
        self.signature = Signature(function, filled=Context)
        self.bind = self.signature.bind


class Completion(NamedTuple):
    """What one argument may be completed to: a function of `text` and `given`."""

    name: str
    function: Callable[..., Any]
    is_async: bool
    kind: str = "Completion of"


class Registry(Generic[EntryT]):
    """What an environment offers of one kind, by name, in the order in which it was added.

    It may be changed at any time and on any thread; who reads meanwhile sees it before or after.

    Attributes:
        version: Grows with each change.
        on_change: Called after each change, on the thread that made it.
    """

    def __init__(self) -> None:
        self.version = 0
        self.on_change: Callable[[], None] | None = None
        self._entries: dict[str, EntryT] = {}
        self._changing = threading.Lock()

    def _change(self, change: Callable[[dict[str, EntryT]], Any]) -> None:
        """Change a copy and put it in place of the entries, which others may be reading."""
        with self._changing:
            entries = dict(self._entries)
            change(entries)
            self._entries = entries
            self.version += 1
        if self.on_change is not None:
            self.on_change()


def accepted(options: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """The options a declaration was given, None for each it was not.

    Args:
        options: As the author gave them.
        kind: The TypedDict that names those there are.

    Raises:
        ConfigurationError: One is not among them.
    """
    known = kind.__annotations__
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ConfigurationError(f"No option {unknown[0]!r} here; there are: {', '.join(known)}")
    return dict.fromkeys(known) | dict(options)


def completions_of(
    completers: Mapping[str, Completer] | None, offer: Offer
) -> dict[str, Completion]:
    """The completers an author declared, by argument.

    Raises:
        ConfigurationError: One is for an argument that the function does not take.
    """
    for name in completers or {}:
        if name not in offer.signature.names:
            raise ConfigurationError(f"{offer.name!r} has no argument {name!r} to complete")
    return {name: _completion(name, each) for name, each in (completers or {}).items()}


def _completion(name: str, completer: Completer) -> Completion:
    if not callable(completer):
        return Completion(name, lambda text, given: _beginning(completer, text), False)
    return Completion(name, lambda text, given: completer(text, given), is_async(completer))


def _beginning(values: Sequence[str], text: str) -> list[str]:
    """The values that begin with the text, in whatever case."""
    begun = text.casefold()
    return [value for value in values if value.casefold().startswith(begun)]


def _name_of(function: Callable[..., Any]) -> str:
    name: str | None = getattr(function, "__name__", None)
    if name is None:
        raise ConfigurationError(f"{function!r} has no name of its own; give it a `name=`")
    return name
