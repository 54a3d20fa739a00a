"""Our subprotocol on `/ws` without I/O: many environments on one connection, in JSON or msgpack.

Each environment is a lane with a number. A request names the lanes it is for, all of them by
default, and gets exactly one reply with its `id`, in whatever order they become ready; only
`cancel` has none of its own. `TABLE` says which messages exist for whom; what a lane's episode then
allows is `protocol.TABLE`'s to say, lane by lane.
"""

import enum
import functools
import operator
from collections.abc import Callable
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from openenv_lite import arrays, codec
from openenv_lite.errors import (
    InvalidJSONError,
    InvalidMessageError,
    OpenEnvError,
    UnknownLaneError,
    UnknownMessageError,
)
from openenv_lite.protocol import decode_action, with_tool_actions
from openenv_lite.types import Reward, ServerMode, StepResult

__all__ = [
    "FORMATS",
    "TABLE",
    "Autoreset",
    "Cancel",
    "Close",
    "Closed",
    "Format",
    "Mcp",
    "Open",
    "Opened",
    "ReadState",
    "Receive",
    "Refused",
    "RequestDecoder",
    "Reset",
    "Results",
    "States",
    "Step",
    "Told",
    "described",
]

ActT = TypeVar("ActT")
ObsT = TypeVar("ObsT")

Decode = Callable[[Any], Any]
"""From a frame, as text or bytes, to a message."""

Count = Annotated[int, Meta(ge=1)]

Number = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""What comes back to the client: of a size that both encodings carry."""

_MOST_SHOWN = 1000
"""Characters of a faulty message that its refusal repeats, so that it is never the larger."""


class Autoreset(enum.StrEnum):
    """What follows the end of a lane's episode, as Gymnasium 1.x names it."""

    DISABLED = "disabled"
    """Nothing: the trainer resets."""
    NEXT_STEP = "next_step"
    """The next step begins a new episode and ignores its action."""
    SAME_STEP = "same_step"
    """The step itself begins the next episode; its own result is told as `final`."""


class _Request(msgspec.Struct, tag_field="type", forbid_unknown_fields=True, kw_only=True):
    """Base of what a client sends; `id` comes back with the reply."""

    id: Number


class Open(_Request, tag="open", kw_only=True):
    """Open lanes: all of them or none."""

    count: Count = 1
    autoreset: Autoreset = Autoreset.DISABLED
    sessions: list[str] | None = None
    """Sessions to take up again in place of new ones, after a lost connection."""


class Close(_Request, tag="close", kw_only=True):
    """Close lanes, and the environments in them."""

    lanes: list[Number] | None = None


class Reset(_Request, tag="reset", kw_only=True):
    """Begin an episode in each lane; `options` are the author's own, the same for all."""

    lanes: list[Number] | None = None
    seeds: list[int | None] | None = None
    options: dict[str, Any] = {}
    wait: Count | None = None


class Step(_Request, Generic[ActT], tag="step", kw_only=True):
    """One action for each lane."""

    actions: list[ActT]
    lanes: list[Number] | None = None
    wait: Count | None = None


class Receive(_Request, tag="receive", kw_only=True):
    """Hear of `wait` lanes that an earlier request with `wait` has set going."""

    wait: Count


class ReadState(_Request, tag="state", kw_only=True):
    """Read the inner state of each lane."""

    lanes: list[Number] | None = None


class Mcp(_Request, tag="mcp", kw_only=True):
    """One JSON-RPC request to the agent's side of a lane, in OpenEnv's dialect."""

    lane: Number
    data: dict[str, Any]


class Cancel(_Request, tag="cancel", kw_only=True):
    """Stop the request of this id; its reply then says which lanes were not ready."""


class _Reply(msgspec.Struct, tag_field="type", omit_defaults=True):
    id: int | None


class Opened(_Reply, tag="opened"):
    """The lanes' numbers, and the ids of their sessions."""

    lanes: list[int]
    sessions: list[str]


class Closed(_Reply, tag="closed"):
    """The numbers that are no lanes any more."""

    lanes: list[int]


class Results(_Reply, Generic[ObsT], tag="results"):
    """What came of resets or steps: a column has an entry for each of `lanes`, in that order.

    What only few lanes have stands under the lane's number. A lane in error has no observation.
    """

    lanes: list[int]
    observations: list[ObsT | None]
    rewards: list[Reward]
    done: list[bool]
    truncated: list[int] = []
    metadata: dict[int, dict[str, Any]] = {}
    final: dict[int, StepResult[ObsT]] = {}
    """With `Autoreset.SAME_STEP`: the last step of an episode; the columns tell of the next one,
    and `errors` where that could not begin."""
    errors: dict[int, Any] = {}
    """`{"code", "message", ...}` each; on the server the error itself."""


class States(_Reply, tag="states"):
    """The inner state of each lane, None where it could not be read."""

    lanes: list[int]
    states: list[Any]
    errors: dict[int, Any] = {}


class Told(_Reply, tag="mcp"):
    """One JSON-RPC response."""

    data: Any


class Refused(_Reply, tag="error"):
    """Why a request failed as a whole: `{"code", "message", ...}`."""

    data: dict[str, Any]


class Standing(enum.StrEnum):
    """Whether a number is a lane's."""

    UNOPENED = "unopened"
    OPEN = "open"


Next = Standing | type[OpenEnvError]


class Row(NamedTuple):
    """What a message does to a lane it names, and whether production knows it at all."""

    request: Any
    in_production: bool
    unopened: Next
    open: Next


_UNOPENED, _OPEN = Standing

TABLE: dict[str, Row] = {
    # message                 production  unopened          open
    "open": Row(Open, True, _OPEN, _OPEN),
    "reset": Row(Reset, False, UnknownLaneError, _OPEN),
    "step": Row(Step, False, UnknownLaneError, _OPEN),
    "receive": Row(Receive, False, _UNOPENED, _OPEN),
    "state": Row(ReadState, False, UnknownLaneError, _OPEN),
    "mcp": Row(Mcp, True, UnknownLaneError, _OPEN),
    "cancel": Row(Cancel, True, _UNOPENED, _OPEN),
    "close": Row(Close, True, UnknownLaneError, _UNOPENED),
}


class Format(NamedTuple):
    """One of the two encodings.

    Attributes:
        subprotocol: As the WebSocket handshake names it.
        is_text: Whether its frames are text; else they are binary.
        encode: A message to bytes.
        decoder: From a type to the function that decodes it, with msgspec's own errors.
    """

    subprotocol: str
    is_text: bool
    encode: Callable[[Any], bytes]
    decoder: Callable[[Any], Decode]

    @property
    def kind(self) -> str:
        """Where ASGI has the frames of a WebSocket: `"text"` or `"bytes"`."""
        return "text" if self.is_text else "bytes"

    def sealed(self, value: Any) -> msgspec.Raw:
        """A value encoded already, which nobody can change any more."""
        return msgspec.Raw(self.encode(value))


def described(error: OpenEnvError) -> dict[str, Any]:
    """An error as the wire tells it; without details that cannot be carried."""
    named = {"code": error.code, "message": error.message}
    try:
        codec.encode(error.details)
        MSGPACK.encode(error.details)
    except (*codec.UNSENDABLE, OverflowError):  # msgpack has no larger numbers than 64 bits
        return named
    return {**error.details, **named}


def _for_json(value: Any) -> Any:
    return described(value) if isinstance(value, OpenEnvError) else codec.plain(value)


def _for_msgpack(value: Any) -> Any:
    if isinstance(value, OpenEnvError):
        return described(value)
    packed = arrays.packed(value)
    return codec.plain(value) if packed is None else packed


def _json_decoder(kind: Any) -> Decode:
    return msgspec.json.Decoder(kind, strict=False, dec_hook=codec.construct).decode


def _msgpack_decoder(kind: Any) -> Decode:
    return msgspec.msgpack.Decoder(
        kind, strict=False, dec_hook=codec.construct, ext_hook=arrays.unpacked
    ).decode


JSON = Format(
    "openenv-lite.json", True, msgspec.json.Encoder(enc_hook=_for_json).encode, _json_decoder
)
MSGPACK = Format(
    "openenv-lite.msgpack",
    False,
    msgspec.msgpack.Encoder(enc_hook=_for_msgpack).encode,
    _msgpack_decoder,
)
FORMATS = {each.subprotocol: each for each in (MSGPACK, JSON)}
"""By subprotocol; of several that a client offers, the first of these is taken."""


class RequestDecoder:
    """Frames to typed requests, for one action type, encoding and kind of peer.

    Args:
        action_type: Of the environment.
        form: JSON or msgpack.
        mode: In production the control messages are not part of the message set.
        control: The peer proved to be a trainer, so that production knows them after all.
    """

    def __init__(
        self, action_type: Any, form: Format, mode: ServerMode, control: bool = False
    ) -> None:
        knows_all = control or mode is ServerMode.SIMULATION
        kinds = {name: row.request for name, row in TABLE.items() if knows_all or row.in_production}
        self._action_type = action_type
        self._kinds = kinds
        self._decode = form.decoder(_union(kinds, with_tool_actions(action_type)))
        self._decode_loosely = form.decoder(_union(kinds, Any))
        self._decode_plain = form.decoder(dict[str, Any])

    def decode(self, frame: bytes | str) -> Any:
        """A frame to one of the requests.

        The actions of a step are of the environment's type; where one is not, it is an error in
        the place of the action, which concerns its lane alone.

        Raises:
            InvalidJSONError: Not of this encoding.
            UnknownMessageError: No message of this type exists for this peer.
            InvalidMessageError: A field is missing, unknown or mistyped; `request_id` has its id.
        """
        try:
            return self._decode(frame)
        except (ValueError, RecursionError):
            return self._explain(frame)

    def _explain(self, frame: bytes | str) -> Any:
        try:
            request = self._decode_loosely(frame)
        except (ValueError, RecursionError) as error:
            raise self._fault(frame, error) from None
        if isinstance(request, Step):
            request.actions = [self._action(each) for each in request.actions]
        return request

    def _action(self, data: Any) -> Any:
        try:
            return decode_action(data, self._action_type)
        except InvalidMessageError as error:
            return error

    def _fault(self, frame: bytes | str, error: Exception) -> OpenEnvError:
        """What is wrong with a frame, and with whose id the client is told."""
        try:
            message = self._decode_plain(frame)
        except (ValueError, RecursionError):
            return InvalidJSONError(f"Not a message of this encoding: {error}")
        named, name = _named(message), message.get("type")
        if not isinstance(name, str):
            known = ", ".join(self._kinds)
            return UnknownMessageError(f"A message has a `type`: {known}", **named)
        if name not in self._kinds:
            return UnknownMessageError(f"Unknown message type: {name[:_MOST_SHOWN]}", **named)
        return InvalidMessageError(f"Invalid message: {error}"[:_MOST_SHOWN], **named)


def _named(message: dict[str, Any]) -> dict[str, int]:
    """The id of a faulty message, if it has one that can be told."""
    try:
        return {"request_id": msgspec.convert(message["id"], Number, strict=False)}
    except (KeyError, ValueError):
        return {}


def _union(kinds: dict[str, Any], action_type: Any) -> Any:
    typed = [Step[action_type] if kind is Step else kind for kind in kinds.values()]
    return functools.reduce(operator.or_, typed)
