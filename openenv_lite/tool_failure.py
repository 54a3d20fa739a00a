"""What became of a tool call that gave no result, said to the agent and to the operator."""

import logging

from openenv_lite.errors import (
    InvalidArgumentsError,
    OpenEnvError,
    RequestError,
    ToolFailedError,
    UnknownToolError,
)
from openenv_lite.types import CallToolObservation, ServerMode, ToolError, ToolErrorType

__all__ = ["failed_call", "tool_failure"]

log = logging.getLogger(__name__)


def tool_failure(name: str, error: BaseException, mode: ServerMode) -> OpenEnvError:
    """The typed error for whatever a tool raised.

    Ours pass as they are. Of others, the text stays out of production: it may hold paths, keys or
    another user's data. An author who wants the model to read it raises `ToolFailedError`.
    """
    if isinstance(error, RequestError | ToolFailedError):
        return error
    if isinstance(error, TimeoutError):
        return ToolFailedError(f"Tool {name!r} timed out", error_type="timeout")
    log.error("Tool %r raised", name, exc_info=error)
    if mode is ServerMode.PRODUCTION:
        return ToolFailedError(f"Error calling tool {name!r}")
    return ToolFailedError(f"Error calling tool {name!r}: {error}")


def failed_call(name: str, error: OpenEnvError) -> CallToolObservation:
    """The observation of a tool call that gave no result."""
    return CallToolObservation(
        tool_name=name, error=ToolError(error_type=_error_type(error), message=error.message)
    )


def _error_type(error: OpenEnvError) -> ToolErrorType:
    if isinstance(error, UnknownToolError):
        return "tool_not_found"
    if isinstance(error, InvalidArgumentsError):
        return "invalid_args"
    kind: ToolErrorType = error.details.get("error_type", "execution_error")
    return kind
