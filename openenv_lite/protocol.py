"""OpenEnv's `/ws` protocol without I/O: one table, one decoder, one encoder.

Two rules of this file. It knows messages and phases, never sockets or environments. What a message
may do is a row of `TABLE`; nothing else in the package asks which phase or mode it is in.

A client sends `{"type", "data"}` and gets exactly one reply, in order, except for `close`.
"""

import enum
import functools
import operator
from typing import Any, NamedTuple

import msgspec

from openenv_lite import codec
from openenv_lite.errors import (
    EpisodeDoneError,
    InvalidMessageError,
    OpenEnvError,
    ResetRequiredError,
    SessionClosedError,
    UnknownMessageError,
)
from openenv_lite.types import (
    Action,
    CallToolAction,
    ListToolsAction,
    ServerMode,
    StepResult,
)

__all__ = [
    "TABLE",
    "Close",
    "Event",
    "Mcp",
    "MessageDecoder",
    "Phase",
    "ReadState",
    "Reset",
    "Row",
    "advance",
    "decode_action",
    "encode_error",
    "encode_mcp",
    "encode_observation",
    "encode_state",
    "with_tool_actions",
]


class Phase(enum.StrEnum):
    """Where an episode stands."""

    FRESH = "fresh"
    RUNNING = "running"
    DONE = "done"
    CLOSED = "closed"


class Event(enum.StrEnum):
    """What a client may ask of an environment."""

    RESET = "reset"
    STEP = "step"
    STATE = "state"
    LIST_TOOLS = "list_tools"
    CALL_TOOL = "call_tool"
    SNAPSHOT = "snapshot"
    RESTORE = "restore"


Next = Phase | type[OpenEnvError]


class Row(NamedTuple):
    """What one event leads to in each phase, and whether production knows it at all."""

    in_production: bool
    fresh: Next
    running: Next
    done: Next
    closed: Next = SessionClosedError

    def after(self, phase: Phase) -> Next:
        """The phase that follows this one, or why none does."""
        cell: Next = getattr(self, phase.value)
        return cell


# As module names, since reading a member off its class costs as much as decoding a field.
FRESH, RUNNING, DONE, CLOSED = Phase
RESET, STEP, STATE, LIST_TOOLS, CALL_TOOL, SNAPSHOT, RESTORE = Event

TABLE: dict[Event, Row] = {
    # event                production  fresh               running  done
    RESET: Row(False, RUNNING, RUNNING, RUNNING),
    STEP: Row(False, ResetRequiredError, RUNNING, EpisodeDoneError),
    STATE: Row(False, FRESH, RUNNING, DONE),
    LIST_TOOLS: Row(True, FRESH, RUNNING, DONE),
    CALL_TOOL: Row(True, FRESH, RUNNING, EpisodeDoneError),
    SNAPSHOT: Row(False, FRESH, RUNNING, DONE),
    RESTORE: Row(False, RUNNING, RUNNING, RUNNING),  # or the phase that was saved
}

_NEXT: dict[Event, dict[Phase, Phase]] = {
    event: {phase: cell for phase in Phase if isinstance(cell := row.after(phase), Phase)}
    for event, row in TABLE.items()
}
_REFUSALS: dict[type[OpenEnvError], str] = {
    SessionClosedError: "The session is closed",
    ResetRequiredError: "No episode has begun: send a reset before the first step",
    EpisodeDoneError: "The episode is over: send a reset to begin the next one",
}


def advance(event: Event, phase: Phase) -> Phase:
    """The phase an event leads to.

    Raises:
        ResetRequiredError: A step before the first reset.
        EpisodeDoneError: A step or tool call after the end of the episode.
        SessionClosedError: Anything after the end of the session.
    """
    try:
        return _NEXT[event][phase]
    except KeyError:
        refusal = TABLE[event].after(phase)
        assert isinstance(refusal, type)
        raise refusal(_REFUSALS[refusal]) from None


class _Message(msgspec.Struct, tag_field="type", forbid_unknown_fields=True):
    """Base of the messages a client sends."""


class Reset(_Message, tag="reset"):
    """Begin an episode; `data` holds `seed`, `episode_id` and the author's own options."""

    data: dict[str, Any] = {}


class ReadState(_Message, tag="state"):
    """Read the inner state."""


class Mcp(_Message, tag="mcp"):
    """One JSON-RPC request; `data` is its envelope."""

    data: dict[str, Any]


class Close(_Message, tag="close"):
    """End the session; the only message without a reply."""


_CONTROLS = {"reset": RESET, "step": STEP, "state": STATE}
_TOOL_ACTIONS = (Action, ListToolsAction, CallToolAction)


class MessageDecoder:
    """Text frames to typed messages, for one action type and one kind of peer.

    A step decodes straight to `Step(data=<action>)`, in one pass over the bytes.

    Args:
        action_type: What `data` of a step decodes to.
        mode: In production the control messages are not part of the message set.
        control: The peer proved to be a trainer, so that production knows them after all.

    Attributes:
        names: The wire name of each type that `decode` may return.
    """

    def __init__(self, action_type: Any, mode: ServerMode, control: bool = False) -> None:
        step = _step_message(with_tool_actions(action_type))
        everything = {"reset": Reset, "step": step, "state": ReadState, "mcp": Mcp, "close": Close}
        self._kinds = {
            name: kind
            for name, kind in everything.items()
            if control or mode is ServerMode.SIMULATION or _in_production(name)
        }
        union = functools.reduce(operator.or_, self._kinds.values())
        self._decode = codec.Decoder(union).decode_fast
        self._plain_step = _step_message(action_type)
        self.names = {kind: name for name, kind in self._kinds.items()}
        self.names[self._plain_step] = "step"

    def decode(self, text: str) -> Any:
        """A text frame to `Reset`, `Step`, `ReadState`, `Mcp` or `Close`.

        Raises:
            InvalidJSONError: Not JSON.
            UnknownMessageError: No message of this type exists for this peer.
            InvalidMessageError: A field is missing, unknown or mistyped.
        """
        try:
            return self._decode(text)
        except (ValueError, RecursionError):
            return self._explain(codec.parse(text))

    def _explain(self, message: Any) -> Any:
        """Find the fault; a tool action without its `type` turns out to be none."""
        name = message.get("type", "") if isinstance(message, dict) else ""
        kind = self._kinds.get(name) if isinstance(name, str) else None
        if kind is None:
            raise UnknownMessageError(f"Unknown message type: {codec.repeatable(name)}")
        if name == "step" and not _names_its_type(message.get("data")):
            kind = self._plain_step
        try:
            return codec.convert(message, kind)
        except InvalidMessageError as error:
            raise InvalidMessageError(error.message, errors=_within_data(error)) from None


def decode_action(data: Any, action_type: Any) -> Any:
    """Plain values to an action, by the rules of a step message.

    Raises:
        InvalidMessageError: A field is missing, unknown or mistyped.
    """
    accepted = with_tool_actions(action_type) if _names_its_type(data) else action_type
    return codec.convert(data, accepted)


def _names_its_type(data: Any) -> bool:
    return isinstance(data, dict) and "type" in data


def with_tool_actions(action_type: Any) -> Any:
    """The action type, or both tool actions where it is one of them or says nothing of its own."""
    return ListToolsAction | CallToolAction if action_type in _TOOL_ACTIONS else action_type


def _in_production(name: str) -> bool:
    return name not in _CONTROLS or TABLE[_CONTROLS[name]].in_production


def _step_message(action_type: Any) -> type[msgspec.Struct]:
    return msgspec.defstruct(
        "Step", [("data", action_type)], tag_field="type", tag="step", forbid_unknown_fields=True
    )


def _within_data(error: InvalidMessageError) -> list[dict[str, Any]]:
    """Paths as OpenEnv gives them: relative to the action once inside `data`."""
    return [
        {**each, "loc": each["loc"][1:] if len(each["loc"]) > 1 else each["loc"]}
        for each in error.errors
    ]


class _Reply(msgspec.Struct, tag_field="type"):
    data: Any


class _ObservationReply(_Reply, tag="observation"):
    data: StepResult[Any]


class _StateReply(_Reply, tag="state"):
    """Inner state."""


class _McpReply(_Reply, tag="mcp"):
    """One JSON-RPC response."""


class _ErrorReply(_Reply, tag="error"):
    """A refusal or failure; the connection stays open unless the error's class closes it."""


def encode_observation(result: StepResult[Any]) -> bytes:
    """The reply to a reset or a step."""
    return codec.encode(_ObservationReply(result))


def encode_state(state: Any) -> bytes:
    """The reply to a state message; `state` is an object of plain values."""
    return codec.encode(_StateReply(state))


def encode_mcp(response: Any) -> bytes:
    """The reply to an mcp message."""
    return codec.encode(_McpReply(response))


def encode_error(error: OpenEnvError) -> bytes:
    """The error frame; without details that JSON cannot carry."""
    named = {"message": error.message, "code": error.code}
    try:
        return codec.encode(_ErrorReply({**named, **error.details}))
    except codec.UNSENDABLE:
        return codec.encode(_ErrorReply(named))
