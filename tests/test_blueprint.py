import functools
from typing import Any, Generic, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite import (
    Action,
    CallToolAction,
    CallToolObservation,
    Environment,
    MCPEnvironment,
    Observation,
    State,
)
from openenv_lite.blueprint import Blueprint
from openenv_lite.errors import ConfigurationError, InvalidMessageError
from openenv_lite.executor import LoopExecutor, ThreadExecutor
from tests.environments import Add, Awaiting, Count, Inline, Threaded, Toolbox
from tests.leaks import on_loop
from tests.test_codec import JSON

A = TypeVar("A")
B = TypeVar("B")


class Swapped(Environment[A, B, State], Generic[B, A]):
    """Names its type variables in another order."""

    def reset(self) -> Any: ...
    def step(self, action: Any) -> Any: ...


class Half(Swapped[Count, A], Generic[A]):
    """Fills one of them in."""


class Whole(Half[Add]):
    """Fills in the other."""


class Quoted(Environment["Add", "Count", State]):
    """Names types that could come later in the file."""

    def reset(self) -> Any: ...
    def step(self, action: Any) -> Any: ...


class Untyped(Environment):  # type: ignore[type-arg]
    """Says nothing of its types."""

    def reset(self) -> Any: ...
    def step(self, action: Any) -> Any: ...


class Deeper(Inline):
    """Inherits its types."""


@pytest.mark.parametrize(
    ("kind", "types"),
    [
        (Inline, (Add, Count, State)),
        (Deeper, (Add, Count, State)),
        (Whole, (Add, Count, State)),
        (Quoted, (Add, Count, State)),
        (Untyped, (Action, Observation, State)),
        (Half, (Action, Count, State)),
        (Toolbox, (CallToolAction, CallToolObservation, State)),
    ],
)
def test_types_are_read_from_the_generics(kind: Any, types: Any) -> None:
    blueprint = Blueprint(kind)
    assert (blueprint.action_type, blueprint.observation_type, blueprint.state_type) == types


def test_types_passed_win_over_the_generics() -> None:
    assert Blueprint(Inline, action_type=CallToolAction).action_type is CallToolAction


def factory_with_return_type() -> Inline:
    return Inline()


def factory_without() -> Any:
    return Threaded()


def factory_of_the_base() -> Environment[Any, Any, Any]:
    return Threaded()


@pytest.mark.parametrize(
    ("factory", "kind"),
    [
        (Inline, Inline),
        (functools.partial(Inline), Inline),
        (functools.partial(functools.partial(Threaded)), Threaded),
        (factory_with_return_type, Inline),
        (factory_without, Threaded),
        (factory_of_the_base, Threaded),
        (lambda: Toolbox(), Toolbox),
    ],
)
def test_the_class_behind_a_factory_is_found_and_nothing_stays_alive(
    factory: Any, kind: Any
) -> None:
    assert Blueprint(factory).kind is kind
    assert not getattr(kind, "alive", ())


class Opaque:
    """No type of JSON."""


class One(msgspec.Struct):
    a: int


class Two(msgspec.Struct):
    b: int


class Ambiguous(Environment[One | Two, Count, State]):
    def reset(self) -> Any: ...
    def step(self, action: Any) -> Any: ...


class Unsendable(Environment[Opaque, Count, State]):
    def reset(self) -> Any: ...
    def step(self, action: Any) -> Any: ...


class Nothing:
    """Neither reset nor step."""


async def async_factory() -> Inline:
    return Inline()


@pytest.mark.parametrize(
    "factory",
    [Inline(), 5, None, Ambiguous, Unsendable, Nothing, async_factory],
    ids=lambda each: getattr(each, "__name__", repr(each)[:20]),
)
def test_what_cannot_be_served_is_refused_when_registered(factory: Any) -> None:
    Inline.alive.clear()
    with pytest.raises(ConfigurationError):
        Blueprint(factory)


@pytest.mark.parametrize(
    ("kind", "executor", "inline"),
    [
        (Inline, LoopExecutor, True),
        (Threaded, ThreadExecutor, False),
        (Awaiting, LoopExecutor, False),
        (Toolbox, ThreadExecutor, False),
    ],
)
@on_loop
async def test_the_executor_follows_from_the_class(kind: Any, executor: Any, inline: bool) -> None:
    blueprint = Blueprint(kind)
    made = blueprint.executor()
    assert isinstance(made, executor)
    assert blueprint.inline is inline
    await made.close()


@given(
    st.dictionaries(
        st.sampled_from(["seed", "start", "self", "operation", "episode_id"]) | st.text(), JSON
    )
)
def test_options_bind_drop_or_are_refused_but_never_fail(options: dict[str, Any]) -> None:
    operation = Blueprint(Inline).reset
    try:
        accepted = operation.options(options)
    except InvalidMessageError as error:
        assert error.errors
        return
    assert accepted.keys() == options.keys() & {"seed", "start"}


def test_a_class_of_tools_is_one() -> None:
    assert Blueprint(Toolbox).has_tools
    assert not Blueprint(Inline).has_tools
    assert issubclass(Toolbox, MCPEnvironment)


class Needy(Inline):
    def __init__(self, level: int) -> None:
        self.level = level


def test_a_constructor_that_wants_arguments_is_told_before_any_session() -> None:
    with pytest.raises(ConfigurationError, match=r"'level'.*functools\.partial\(Needy, \.\.\.\)"):
        Blueprint(Needy)  # type: ignore[arg-type]
    assert Blueprint(functools.partial(Needy, level=1)).kind is Needy
