"""Between an author's types and the data of frames, settled once for a client.

A hook a subclass defines (`_step_payload`, `_parse_result`, `_parse_state`, as in OpenEnv) works
on plain dicts. Where it defines none, msgspec goes from bytes to its types in one pass.
"""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, get_args, get_origin

import msgspec

from openenv_lite import codec
from openenv_lite.client.exchange import request
from openenv_lite.client.remote_errors import error_of
from openenv_lite.types import Reward, StepResult

__all__ = [
    "AT_THE_TOP",
    "Hooks",
    "Payload",
    "Translation",
    "TypeArguments",
    "Typed",
    "open_struct",
    "result_of",
]

if TYPE_CHECKING:
    # Python 3.13 has defaults of its own; type checkers know them from here.
    from typing_extensions import TypeVar as TypeVarWithDefault

    ActT = TypeVarWithDefault("ActT", default=Any)
    ObsT = TypeVarWithDefault("ObsT", default=Any)
    StateT = TypeVarWithDefault("StateT", default=Any)
else:
    ActT, ObsT, StateT = TypeVar("ActT"), TypeVar("ObsT"), TypeVar("StateT")

AT_THE_TOP = ("reward", "done", "truncated")
"""What the wire keeps beside the observation, and observation types declare all the same."""


class TypeArguments(NamedTuple):
    """What the generics of a client say."""

    action: Any = Any
    observation: Any = Any
    state: Any = Any


def _types_of(arguments: tuple[Any, ...]) -> TypeArguments:
    return TypeArguments(*(Any if isinstance(each, TypeVar) else each for each in arguments))


class Translation(NamedTuple, Generic[ActT, StateT]):
    """Three functions: an action to a step message, a reply to a result, a reply to a state."""

    step: Callable[[ActT], bytes]
    result: Callable[[bytes], StepResult[Any]]
    state: Callable[[bytes], StateT]


class Typed(Generic[ActT, ObsT, StateT]):
    """A client that is told its types by its generics: in a subclass, or when it is made."""

    _types = TypeArguments()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for parent in vars(cls).get("__orig_bases__", ()):
            arguments = get_args(parent)
            if len(arguments) == len(TypeArguments._fields) and get_origin(parent) is not Generic:
                cls._types = _types_of(arguments)

    def __setattr__(self, name: str, value: Any) -> None:
        """`EnvClient[Move, Board, State](url)` tells an instance its types only afterwards."""
        super().__setattr__(name, value)
        if name == "__orig_class__":
            self._types = _types_of(get_args(value))
            self._take_types()

    def _take_types(self) -> None:
        """Settle what follows from the types."""
        raise NotImplementedError


class Hooks(Typed[ActT, ObsT, StateT]):
    """What a subclass of a client may override."""

    _words: "Translation[ActT, StateT]"

    def _take_types(self) -> None:
        self._words = self._translation()

    def _step_payload(self, action: ActT) -> dict[str, Any]:
        """The action as the `data` of a step message."""
        payload: dict[str, Any] = codec.to_builtins(action)
        return payload

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[Any]:
        """The `data` of an observation message: observation, reward, done, perhaps metadata."""
        return result_of(codec.convert(payload, _payload_type(self._types.observation)))

    def _parse_state(self, payload: dict[str, Any]) -> StateT:
        """The `data` of a state message."""
        state: StateT = open_struct(payload, self._types.state)
        return state

    def _translation(self) -> Translation[ActT, StateT]:
        """The three functions, straight ones where nothing is overridden."""
        return Translation(
            step=self._step if _overridden(self, "_step_payload") else _straight_step,
            result=self._result
            if _overridden(self, "_parse_result")
            else _straight_result(self._types.observation),
            state=lambda reply: self._parse_state(_plain_data(reply)),
        )

    def _step(self, action: ActT) -> bytes:
        return request("step", codec.encode(self._step_payload(action)))

    def _result(self, reply: bytes) -> StepResult[Any]:
        return self._parse_result(_plain_data(reply))


class Payload(msgspec.Struct, Generic[ObsT]):
    """The `data` of an observation message."""

    observation: ObsT
    reward: Reward = None
    done: bool = False
    metadata: dict[str, Any] | None = None
    truncated: bool = False


class _Observation(msgspec.Struct, Generic[ObsT], tag_field="type", tag="observation"):
    data: Payload[ObsT]


class _Plain(msgspec.Struct):
    type: str
    data: dict[str, Any]


class _Error(msgspec.Struct, tag_field="type", tag="error"):
    data: dict[str, Any]


_decode_plain = codec.Decoder(_Plain).decode


def _plain_data(reply: bytes) -> dict[str, Any]:
    """The data of a reply; an error frame raises what it says."""
    frame: _Plain = _decode_plain(reply)
    if frame.type == "error":
        raise error_of(frame.data)
    return frame.data


def _straight_step(action: Any) -> bytes:
    return request("step", codec.encode(action))


def _payload_type(observation: Any) -> Any:
    return Payload[observation]


@functools.cache
def _straight_result(observation: Any) -> Callable[[bytes], StepResult[Any]]:
    """One decoder from the bytes of a reply to a result with a typed observation."""
    decode = codec.Decoder(_Observation[observation] | _Error).decode

    def straight(reply: bytes) -> StepResult[Any]:
        frame = decode(reply)
        if isinstance(frame, _Error):
            raise error_of(frame.data)
        return result_of(frame.data)

    return straight


def result_of(data: Payload[Any]) -> StepResult[Any]:
    """The result, its observation told what the wire keeps beside it."""
    for name in AT_THE_TOP:
        if hasattr(data.observation, name):
            setattr(data.observation, name, getattr(data, name))
    return StepResult(data.observation, data.reward, data.done, data.metadata or {}, data.truncated)


def _overridden(hooks: Hooks[Any, Any, Any], name: str) -> bool:
    return getattr(type(hooks), name) is not getattr(Hooks, name)


def open_struct(payload: dict[str, Any], kind: Any) -> Any:
    """A value of the type; what a Struct with a `__dict__` does not declare becomes attributes."""
    value = codec.convert(payload, kind)
    if isinstance(value, msgspec.Struct) and hasattr(value, "__dict__"):
        for name in payload.keys() - set(value.__struct_fields__):
            setattr(value, name, payload[name])
    return value
