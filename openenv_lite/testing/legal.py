"""Which actions are legal: what the types allow, narrowed by whoever knows the environment."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Verbosity, find, settings
from hypothesis import strategies as st

from openenv_lite.testing.law import Unmet
from openenv_lite.testing.sessions.game import Game
from openenv_lite.testing.sessions.seen import Seen
from openenv_lite.testing.strangers.calling import calls_of
from openenv_lite.testing.strategies import invalid, valid
from openenv_lite.testing.subject import Subject

__all__ = ["Actions", "Narrowing"]

Narrowing = st.SearchStrategy[Any] | Callable[[Seen], st.SearchStrategy[Any]] | None
"""Legal actions: a strategy, or what makes one of what was seen last; None for the types' own."""

_QUICK = settings(
    max_examples=10,
    database=None,
    suppress_health_check=list(HealthCheck),
    verbosity=Verbosity.quiet,
)


class Actions:
    """Strategies for the actions of one target, built once.

    Args:
        subject: The target.
        narrowing: Its legal actions, if its types allow more.
    """

    def __init__(self, subject: Subject, narrowing: Narrowing = None) -> None:
        self._subject = subject
        self._narrowing = narrowing
        self._typed: st.SearchStrategy[Any] | None = None
        self._simplest: Any = None
        self._faulty: st.SearchStrategy[tuple[Any, str]] | None = None
        self._bad_calls: st.SearchStrategy[tuple[str, Any, str]] | None = None

    def after(self, game: Game, last: Seen) -> st.SearchStrategy[Any]:
        """The actions that may follow what was seen last."""
        if self._narrowing is None:
            return self._of_types(game)
        if isinstance(self._narrowing, st.SearchStrategy):
            return self._narrowing
        return self._narrowing(last)

    def _of_types(self, game: Game) -> st.SearchStrategy[Any]:
        if self._typed is None:
            by_tools = self._subject.acts_by_tools
            self._typed = _calls(game) if by_tools else valid(self._schema())
        if self._typed.is_empty:
            raise Unmet("a legal action, and the schema allows none")
        return self._typed

    def _schema(self) -> dict[str, Any]:
        schema = self._subject.schemas.get("action")
        if schema is None:
            raise Unmet("a schema of the action")
        return schema

    def simplest(self) -> Any:
        """A legal action, the same each time; of tools, one that none has."""
        if self._subject.acts_by_tools:
            return {"type": "call_tool", "tool_name": "none", "arguments": {}}
        if self._simplest is None:
            given = self._narrowing
            by_types = valid(self._schema())
            strategy = given if isinstance(given, st.SearchStrategy) else by_types
            self._simplest = find(strategy, lambda action: True, settings=_QUICK)
        return self._simplest

    def faulty(self) -> st.SearchStrategy[tuple[Any, str]]:
        """Actions that the schema forbids, each with what is wrong with it.

        Raises:
            Unmet: It forbids none.
        """
        if self._faulty is None:
            self._faulty = invalid(self._schema())
        if self._faulty is None:
            raise Unmet("actions that do not fit, and the type takes all")
        return self._faulty

    def bad_calls(self, game: Game) -> st.SearchStrategy[tuple[str, Any, str]]:
        """Names of tools, arguments that their schemas forbid, and what is wrong with these.

        Raises:
            Unmet: No tool forbids any.
        """
        if self._bad_calls is None:
            faulty = [(each["name"], invalid(each["input_schema"])) for each in game.tools()]
            self._bad_calls = st.one_of(
                [_bad_call(name, fault) for name, fault in faulty if fault is not None]
            )
        if self._bad_calls.is_empty:
            raise Unmet("tools that do not take any arguments whatever")
        return self._bad_calls


def _bad_call(
    name: str, fault: st.SearchStrategy[tuple[Any, str]]
) -> st.SearchStrategy[tuple[str, Any, str]]:
    objects = fault.filter(lambda bad: isinstance(bad[0], dict))
    return objects.map(lambda bad: (name, *bad))


def _calls(game: Game) -> st.SearchStrategy[Any]:
    """Calls of the tools there are, with arguments that fit.

    Raises:
        Unmet: There are none.
    """
    return calls_of(game.tools()).map(_action)


def _action(call: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    name, arguments = call
    return {"type": "call_tool", "tool_name": name, "arguments": arguments}
