"""From frames to requests, or to what is wrong with them."""

import functools
import operator
import sys
from typing import Any

import msgspec

from openenv_lite.batches.formats import Format
from openenv_lite.batches.requests import Number, Step
from openenv_lite.batches.table import TABLE
from openenv_lite.errors import (
    InvalidJSONError,
    InvalidMessageError,
    OpenEnvError,
    UnknownMessageError,
)
from openenv_lite.protocol import decode_action, with_tool_actions
from openenv_lite.types import ServerMode

__all__ = ["RequestDecoder"]

_MOST_SHOWN = 1000
"""Characters of a faulty message that its refusal repeats, so that it is never the larger."""


class RequestDecoder:
    """Frames to typed requests, for one action type, encoding and kind of peer.

    Args:
        action_type: Of the environment.
        form: JSON or msgpack.
        mode: In production the control messages are not part of the message set.
        control: The peer proved to be a trainer, so that production knows them after all.
        most_lanes: That a connection can have, and so the most actions in a step.
    """

    def __init__(
        self,
        action_type: Any,
        form: Format,
        mode: ServerMode,
        control: bool = False,
        most_lanes: int = sys.maxsize,
    ) -> None:
        knows_all = control or mode is ServerMode.SIMULATION
        kinds = {name: row.request for name, row in TABLE.items() if knows_all or row.in_production}
        self._action_type = action_type
        self._most_lanes = most_lanes
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
            self._check_number(request)
            request.actions = [self._action(each) for each in request.actions]
        return request

    def _check_number(self, request: Step[Any]) -> None:
        """Refuse at once what nobody could want an error of each of."""
        if len(request.actions) > self._most_lanes:
            raise InvalidMessageError(
                f"{len(request.actions)} actions, and no more lanes than {self._most_lanes}: send "
                "one for each",
                request_id=request.id,
            )

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
