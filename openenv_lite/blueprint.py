"""What is known of an environment class before any instance exists.

Everything that could be asked on each call is answered here once: types, which methods are async,
which keyword arguments they take, and the executor they run on.
"""

import functools
import inspect
import operator
import sys
from collections.abc import Callable, Mapping
from typing import Any, ForwardRef, NamedTuple, TypeVar, get_args, get_origin

from openenv_lite import codec
from openenv_lite.environment import TASK_METHODS, Environment, MCPEnvironment, described
from openenv_lite.errors import (
    ConfigurationError,
    InvalidArgumentsError,
    InvalidMessageError,
    SnapshotsUnsupportedError,
)
from openenv_lite.executor import Executor, LoopExecutor, ThreadExecutor
from openenv_lite.originals import adopted
from openenv_lite.protocol import Event
from openenv_lite.signature import (
    Signature,
    call_signature,
    is_async,
    parameter_type,
    return_type,
)
from openenv_lite.snapshots import Binding
from openenv_lite.types import (
    Action,
    CallToolAction,
    CallToolObservation,
    ListToolsAction,
    Observation,
    State,
)

__all__ = ["Blueprint", "Operation", "Saving"]


_TOOL_EVENTS: dict[type, Event] = {
    ListToolsAction: Event.LIST_TOOLS,
    CallToolAction: Event.CALL_TOOL,
}


_TOOL_STEPS = (vars(MCPEnvironment)["step"], vars(MCPEnvironment)["step_async"])
"""What does no more than to call the tool."""

_TELLS_NOTHING = (None, type(None), Any, object, Environment, MCPEnvironment)


_PASSED = {
    **{"step": 2, "step_async": 2, "restore": 2},
    **{"list_tasks": 2, "num_tasks": 2, "get_task": 3, "get_task_range": 4},
}
"""Of each method's parameters, those that are no options; of all others `self` alone."""


class Operation:
    """One member of an environment class: a method, sync or async, or the `state` property.

    Attributes:
        of: From an instance to a callable that performs the operation on it.
    """

    def __init__(self, kind: type, name: str) -> None:
        declared = inspect.getattr_static(kind, name, None)
        is_method = inspect.isroutine(declared)
        self.name = name
        self.of: Callable[[Any], Callable[..., Any]] = (
            operator.attrgetter(name)
            if is_method
            else lambda environment: functools.partial(getattr, environment, name)
        )
        self.declared = declared
        self.is_async = is_async(declared)
        self.signature = Signature(declared if is_method else _no_arguments, _PASSED.get(name, 1))

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments the method takes, converted to their types; OpenEnv drops the others.

        Raises:
            InvalidMessageError: One does not fit its type; the author's code was not reached.
        """
        try:
            return self.signature.bind_known(given) if given else {}
        except InvalidArgumentsError as error:
            raise InvalidMessageError("Invalid message", **error.details) from None


class Saving(NamedTuple):
    """How environments of a class are saved and put back."""

    snapshot: Operation
    restore: Operation
    binding: Binding


class Blueprint:
    """An environment class ready to be served.

    Args:
        factory: The class, a `functools.partial` of it, or a function that returns an instance.
        action_type: Overrides the first of the class's generics.
        observation_type: Overrides the second.
        state_type: Overrides the third.
        blocking: Overrides the class's `BLOCKING`.
    """

    def __init__(
        self,
        factory: Callable[[], Any],
        action_type: Any = None,
        observation_type: Any = None,
        state_type: Any = None,
        blocking: bool | None = None,
    ) -> None:
        if not callable(factory):
            raise ConfigurationError(
                f"Pass the environment's class, not an instance of {type(factory).__name__}: "
                "every session gets an environment of its own"
            )
        if inspect.isclass(factory):
            _check_constructor(factory)
        given = (action_type, observation_type, state_type)
        self.factory, self.kind, types = adopted(factory, _class_of(factory), given)
        self.name = self.kind.__name__
        self.has_tools = issubclass(self.kind, MCPEnvironment)
        self.tool_events = _TOOL_EVENTS if self.has_tools else {}
        self._read_types(*types)
        self._read_methods(getattr(self.kind, "BLOCKING", True) if blocking is None else blocking)

    def _read_types(self, action: Any, observation: Any, state: Any) -> None:
        declared = _type_arguments(self.kind)
        if self.has_tools:
            declared = (CallToolAction, CallToolObservation, State)
        self.action_type = action or declared[0]
        self.observation_type = observation or declared[1]
        self.state_type = state or declared[2]
        self.reset_type = _reset_type(self.kind) if self.has_tools else self.observation_type
        for each in (self.action_type, self.observation_type, self.state_type):
            if not codec.is_supported(each):
                raise ConfigurationError(
                    f"{self.name}: {each!r} cannot be sent as JSON. Use a msgspec Struct (Action, "
                    "Observation, State), a dataclass, a TypedDict or a Pydantic model."
                )

    def _read_methods(self, may_block: bool) -> None:
        self.reset = Operation(self.kind, _nearest(self.kind, "reset"))
        self.step = Operation(self.kind, _nearest(self.kind, "step"))
        self.close = Operation(self.kind, "close")
        self.metadata = Operation(self.kind, "get_metadata")
        self.state = Operation(self.kind, "state")
        inherited = self.metadata.declared is vars(Environment)["get_metadata"]
        self.described = described(self.kind) if inherited else None
        self.has_own_step = self.step.declared not in _TOOL_STEPS
        self.is_concurrent = bool(getattr(self.kind, "SUPPORTS_CONCURRENT_SESSIONS", False))
        self._saving = _saving(self.kind)
        every = [self.reset, self.step, self.state, self.close, self.metadata]
        every += self._saving[:2] if self._saving is not None else ()
        self.tasks = {
            name: Operation(self.kind, name)
            for name in TASK_METHODS
            if callable(getattr(self.kind, name, None))
        }
        plain = [not operation.is_async for operation in (self.reset, self.step)]
        self.may_block = bool(may_block)
        self.threaded = self.may_block and (self.has_tools or any(plain))
        self.inline = not (
            self.threaded or self.has_tools or any(operation.is_async for operation in every)
        )

    @property
    def has_snapshots(self) -> bool:
        """Whether the class defines `snapshot` and `restore`."""
        return self._saving is not None

    def saving(self) -> Saving:
        """How its environments are saved.

        Raises:
            SnapshotsUnsupportedError: The class does not say.
        """
        if self._saving is None:
            raise SnapshotsUnsupportedError(
                f"{self.name} offers no snapshots: define snapshot() and restore() on the class"
            )
        return self._saving

    @property
    def capacity(self) -> int:
        """Environments that may exist by default: one, unless several may live side by side."""
        return 100 if self.is_concurrent else 1

    def executor(self) -> Executor:
        """An executor for one session; call it on the event loop."""
        return ThreadExecutor(self.name) if self.threaded else LoopExecutor(self.name)


def _nearest(kind: type, name: str) -> str:
    """`step` or `step_async`, whichever the most derived class defines; the async one of both."""
    for each in kind.__mro__:
        if f"{name}_async" in vars(each):
            return f"{name}_async"
        if name in vars(each):
            return name
    raise ConfigurationError(f"{kind.__name__} must define {name}")


def _no_arguments() -> None:
    """Stands in where an operation is an attribute."""


def _check_constructor(kind: Any) -> None:
    """Refuse now what would fail in every session."""
    try:
        call_signature(kind).bind()
    except TypeError as error:
        raise ConfigurationError(
            f"{kind.__name__} cannot be built without arguments ({error}): pass "
            f"functools.partial({kind.__name__}, ...), or a function that makes one"
        ) from None


def _class_of(factory: Any) -> type:
    """The class a factory makes; one is built and closed only where nothing else tells."""
    function = factory
    while isinstance(function, functools.partial):
        function = function.func
    made = function if inspect.isclass(function) else return_type(function)
    if is_async(function):
        raise ConfigurationError(f"{function!r} is async; a factory is a plain function or class")
    if inspect.isclass(made) and made not in _TELLS_NOTHING:
        return made
    probe = factory()
    if is_async(probe.close):
        raise ConfigurationError(f"Annotate the return type of {function!r}: class unknown")
    probe.close()
    return type(probe)


def _type_arguments(kind: type) -> tuple[Any, Any, Any]:
    """The types an environment class names in `Environment[Act, Obs, State]`."""
    found = _arguments_of(kind, Environment) or ()
    defaults = (Action, Observation, State)
    given = [None if _is_open(each) else _resolved(each, kind) for each in found]
    given += [None] * (3 - len(given))
    action, observation, state = (
        chosen or default for chosen, default in zip(given, defaults, strict=True)
    )
    return action, observation, state


def _reset_type(kind: type) -> type:
    """What a reset of a tool environment shows, which is no result of a tool."""
    told = return_type(getattr(kind, _nearest(kind, "reset")))
    return told if inspect.isclass(told) and issubclass(told, Observation) else Observation


def _arguments_of(kind: type, generic: type) -> tuple[Any, ...] | None:
    """What a class names in `generic[...]`, itself or by way of its bases."""
    for base in vars(kind).get("__orig_bases__", kind.__bases__):
        origin = get_origin(base) or base
        if origin is generic:
            return get_args(base)
        inner = _arguments_of(origin, generic) if inspect.isclass(origin) else None
        if inner is not None:
            filled = dict(zip(getattr(origin, "__parameters__", ()), get_args(base), strict=False))
            return tuple(_substituted(each, filled) for each in inner)
    return None


def _substituted(hint: Any, given: Mapping[Any, Any]) -> Any:
    """A hint with types in the place of type variables, wherever in it they stand."""
    if isinstance(hint, TypeVar):
        return given.get(hint, hint)
    inner = getattr(hint, "__parameters__", ())
    return hint[tuple(given.get(each, each) for each in inner)] if inner else hint


def _is_open(argument: Any) -> bool:
    """A type variable nobody filled in, or `Any`."""
    return argument is Any or isinstance(argument, TypeVar)


def _resolved(argument: Any, kind: type) -> Any:
    """The type behind a name in quotes, looked up where the class is defined."""
    if not isinstance(argument, ForwardRef):
        return argument
    name = argument.__forward_arg__
    found = getattr(sys.modules[kind.__module__], name, None)
    if found is None:
        raise ConfigurationError(f"{kind.__name__} names the type {name!r}, which is not defined")
    return found


def _saving(kind: type) -> Saving | None:
    found = [name for name in ("snapshot", "restore") if callable(getattr(kind, name, None))]
    if len(found) == 1:
        raise ConfigurationError(
            f"{kind.__name__} defines {found[0]}() alone: define both snapshot() and restore(), "
            "or neither"
        )
    if not found:
        return None
    version = str(getattr(kind, "VERSION", Environment.VERSION))
    binding = Binding(kind.__qualname__, version, _saved_type(kind))
    return Saving(Operation(kind, "snapshot"), Operation(kind, "restore"), binding)


def _saved_type(kind: Any) -> Any:
    """What `snapshot` says it returns, else what `restore` says it takes."""
    told = _filled_in(return_type(kind.snapshot), kind, "snapshot")
    if told in _TELLS_NOTHING:
        told = _filled_in(parameter_type(kind.restore, 1), kind, "restore")
    return Any if told in _TELLS_NOTHING else told


def _filled_in(hint: Any, kind: type, member: str) -> Any:
    """A hint of a generic class's method, with the types that the environment names for it."""
    owner = next(each for each in kind.__mro__ if member in vars(each))
    names = getattr(owner, "__parameters__", ())
    given = dict(zip(names, _arguments_of(kind, owner) or (), strict=False))
    return _substituted(
        hint,
        {name: Any if _is_open(each) else _resolved(each, kind) for name, each in given.items()},
    )
