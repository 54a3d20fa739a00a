"""Errors as MCP clients are told them: the code of their revision, and the status HTTP gives."""

from openenv_lite.conversation.stream import Answer
from openenv_lite.errors import (
    CapacityError,
    MessageTooLargeError,
    NotAcceptableError,
    NotJSONError,
    OpenEnvError,
    SessionError,
    UnknownResourceError,
)
from openenv_lite.mcp import messages
from openenv_lite.mcp.messages import Identity

__all__ = ["ACCEPTED", "as_error", "refusal"]

ACCEPTED = Answer(None, 202)
"""Taken in; there is nothing to say."""

_STATUSES = {
    -32700: 400,
    -32600: 400,
    -32601: 404,
    -32602: 400,
    -32020: 400,
    -32021: 400,
    -32022: 400,
}
_WITH_OWN_STATUS = (
    SessionError,
    CapacityError,
    MessageTooLargeError,
    NotAcceptableError,
    NotJSONError,
)
_INVALID_PARAMS, _INTERNAL = -32602, -32603


def as_error(identity: Identity | None, error: OpenEnvError) -> Answer:
    """The reply to a request that was in order but failed; HTTP has nothing to object."""
    return Answer(messages.error_reply(identity, error, _own_code(error)))


def refusal(identity: Identity | None, error: OpenEnvError) -> Answer:
    """The reply to a message that is not in order, or to any of 2026-07-28 that failed."""
    code = _INVALID_PARAMS if isinstance(error, UnknownResourceError) else _own_code(error)
    status = _STATUSES.get(code, 200)
    if isinstance(error, _WITH_OWN_STATUS):
        status = error.status
    return Answer(messages.error_reply(identity, error, code), status)


def _own_code(error: OpenEnvError) -> int:
    """Codes from -32000 to -32019 are OpenEnv's dialect, where MCP has no new ones."""
    if isinstance(error, UnknownResourceError):
        return error.rpc_code
    return _INTERNAL if -32019 <= error.rpc_code <= -32000 else error.rpc_code
