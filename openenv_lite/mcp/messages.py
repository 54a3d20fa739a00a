"""JSON-RPC 2.0 messages of the MCP revisions: bytes to typed messages, and replies to bytes."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from openenv_lite import codec
from openenv_lite.errors import InvalidJSONError, InvalidMessageError, OpenEnvError
from openenv_lite.mcp.envelope import request_id
from openenv_lite.mcp.params import CallTool

__all__ = [
    "Identity",
    "Message",
    "ToolCall",
    "decode_tool_call",
    "error_reply",
    "identity_of",
    "is_batch",
    "message",
    "read",
    "read_batch",
    "reply",
]

Identity = int | str

_OPENINGS = (b"[", "[")

NO_PARAMS = msgspec.Raw(b"{}")


class Message(msgspec.Struct):
    """A request (`method` and `id`), a notification (`method`) or a response (`id` alone)."""

    jsonrpc: Literal["2.0"]
    method: str | UnsetType = UNSET
    id: Identity | UnsetType | None = UNSET
    params: msgspec.Raw = NO_PARAMS
    result: msgspec.Raw | UnsetType = UNSET
    error: msgspec.Raw | UnsetType = UNSET

    @property
    def identity(self) -> Identity:
        """The id of a request."""
        assert isinstance(self.id, int | str)
        return self.id

    @property
    def is_request(self) -> bool:
        """It has a method, and an id to answer to."""
        return self.method is not UNSET and self.id is not UNSET

    @property
    def is_notification(self) -> bool:
        """It has a method, and nobody waits for an answer."""
        return self.method is not UNSET and self.id is UNSET


class ToolCall(msgspec.Struct):
    """A request `tools/call` with all that is in it."""

    jsonrpc: Literal["2.0"]
    method: Literal["tools/call"]
    id: Identity
    params: CallTool


class _Reply(msgspec.Struct):
    jsonrpc: str
    id: Identity | None
    result: Any


_decode = msgspec.json.Decoder(Message).decode
decode_tool_call = msgspec.json.Decoder(ToolCall).decode
"""Reads by far the most frequent message in one pass; on another, or a faulty one, it raises."""

_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


def is_batch(body: bytes | str) -> bool:
    """Whether the body is an array rather than an object."""
    return body[:1] in _OPENINGS or body[:100].lstrip()[:1] in _OPENINGS


def read(body: bytes | str | msgspec.Raw) -> Message:
    """One message.

    Raises:
        InvalidJSONError: Not JSON, or nested too deeply.
        InvalidMessageError: JSON, but no JSON-RPC message.
    """
    try:
        found = _decode(body)
    except msgspec.ValidationError as error:
        raise InvalidMessageError(f"Invalid request: {error}") from None
    except (ValueError, RecursionError) as error:
        raise InvalidJSONError(f"Parse error: {error}") from None
    if found.method is UNSET:
        _check_response(found)
    elif found.id is None:
        raise InvalidMessageError("Invalid request: the id of a request is a string or an integer")
    return found


def _check_response(found: Message) -> None:
    if found.id is UNSET or (found.result is UNSET) == (found.error is UNSET):
        raise InvalidMessageError("Invalid request: a message has a method, or a result or error")


def read_batch(body: bytes | str) -> list[msgspec.Raw]:
    """The messages of an array, each still to be read.

    Raises:
        InvalidJSONError: Not JSON, or nested too deeply.
        InvalidMessageError: The array is empty.
    """
    try:
        found = _decode_array(body)
    except (ValueError, RecursionError) as error:
        raise InvalidJSONError(f"Parse error: {error}") from None
    if not found:
        raise InvalidMessageError("Invalid request: an empty batch")
    return found


def reply(identity: Identity | None, result: Any) -> bytes:
    """The reply to a request that was carried out."""
    return codec.encode(_Reply("2.0", identity, result))


def error_reply(identity: Identity | None, error: OpenEnvError, code: int) -> bytes:
    """The reply to a request that was not; without details that JSON cannot carry.

    Args:
        identity: The request's id; where it is not known the reply has none, as MCP's schema wants
            it (it allows no null).
        error: What happened.
        code: As the client's revision numbers it.
    """
    named = {} if identity is None else {"id": identity}
    body: dict[str, Any] = {"code": code, "message": error.message}
    try:
        data = {"data": error.details} if error.details else {}
        return codec.encode({"jsonrpc": "2.0", **named, "error": {**body, **data}})
    except codec.UNSENDABLE:
        return codec.encode({"jsonrpc": "2.0", **named, "error": body})


def identity_of(body: bytes | str | msgspec.Raw) -> Identity | None:
    """The id of a message that may not be a request at all, so that its sender can tell."""
    try:
        found = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return None
    return request_id(found)


def message(method: str, params: Any, identity: Identity | None = None) -> bytes:
    """A notification, or with an id a request, of ours to the client."""
    named = {} if identity is None else {"id": identity}
    return codec.encode({"jsonrpc": "2.0", **named, "method": method, "params": params})
