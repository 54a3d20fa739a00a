"""What an author's code raised, as typed errors: said to the peer, and whole to the operator."""

import asyncio
import logging

from openenv_lite import codec
from openenv_lite.context import InputRequired, asked_in
from openenv_lite.errors import (
    CapabilityError,
    ExecutionError,
    InvalidAnswerError,
    InvalidArgumentsError,
    OpenEnvError,
    SessionClosedError,
    ToolFailedError,
    UnknownResourceError,
    UnknownToolError,
)
from openenv_lite.offers import Completion, Offer
from openenv_lite.tools import Tool
from openenv_lite.types import CallToolObservation, ServerMode, ToolError, ToolErrorType

__all__ = [
    "execution_failure",
    "failed_call",
    "is_authors",
    "keep_sendable",
    "offer_failure",
    "tool_failure",
    "typed",
]

log = logging.getLogger(__name__)

_TOLD_BY_TOOLS = (ToolFailedError, CapabilityError, InvalidAnswerError, SessionClosedError)
_TOLD_BY_OTHERS = (*_TOLD_BY_TOOLS, ExecutionError, UnknownResourceError)
"""What an author raises, or lets pass, to be told to the peer as it is."""


def is_authors(error: BaseException) -> bool:
    """Whether what was caught around an author's code came from it.

    A cancellation of the calling task, a Ctrl-C, the closing of a coroutine and a question to the
    client did not, and must go on their way. Everything else did: `SystemExit`, a panic of a native
    library, an `asyncio.CancelledError` that nobody asked for.
    """
    if isinstance(error, KeyboardInterrupt | GeneratorExit | InputRequired):
        return False
    if not isinstance(error, asyncio.CancelledError):
        return True
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return True  # on a thread of the session's own there is nothing to cancel
    return task is None or not task.cancelling()  # what the loop itself calls is no task


def execution_failure(where: str, error: BaseException, mode: ServerMode) -> ExecutionError:
    """The typed error for what a method raised.

    In production the text stays in the log: it may hold paths, keys or another user's data. An
    author who wants it read there raises `ExecutionError` or `ToolFailedError`.
    """
    log.error("%s failed", where, exc_info=error)
    if mode is ServerMode.PRODUCTION:
        return ExecutionError("The environment failed; the server's log tells why")
    return ExecutionError(_text_of(error))


def typed(error: BaseException, mode: ServerMode) -> OpenEnvError:
    """Any exception as one of ours.

    What is not ours already comes from encoding what an author returned, or is a fault of this
    package. It is logged; its text does not leave production.
    """
    if isinstance(error, OpenEnvError):
        return error
    return execution_failure("A reply", error, mode)


def tool_failure(name: str, error: BaseException, mode: ServerMode) -> ToolFailedError:
    """The typed error for what a tool raised, by the same rule."""
    if mode is ServerMode.PRODUCTION:
        log.error("Tool %r failed", name, exc_info=error)
        return ToolFailedError(f"Error calling tool {name!r}")
    # The agent is told, and a random policy fails often: the traceback only for who asks.
    log.info("Tool %r failed: %s", name, _text_of(error))
    log.debug("Tool %r failed", name, exc_info=error)
    return ToolFailedError(f"Error calling tool {name!r}: {_text_of(error)}")


def offer_failure(
    offer: Offer | Completion, error: BaseException, mode: ServerMode
) -> BaseException | None:
    """The typed error for what an offered function raised; None where it goes on as it is.

    Questions of several tasks in a group become one `InputRequired`.
    """
    if isinstance(error, BaseExceptionGroup) and (asked := asked_in(error)):
        return asked
    is_tool = isinstance(offer, Tool)
    if isinstance(error, _TOLD_BY_TOOLS if is_tool else _TOLD_BY_OTHERS):
        keep_sendable(error)
        return None
    if not is_authors(error):
        return None
    if is_tool:
        return tool_failure(offer.name, error, mode)
    return execution_failure(f"{offer.kind} {offer.name!r}", error, mode)


def keep_sendable(error: OpenEnvError) -> None:
    """Drop the details of an error that an author raised, where JSON cannot carry them."""
    try:
        codec.encode(error.details)
    except codec.UNSENDABLE:
        log.warning("Details of %r cannot be sent as JSON", error)
        error.details = {}


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


def _text_of(error: BaseException) -> str:
    return str(error) or type(error).__name__
