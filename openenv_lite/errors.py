"""Every error of the package, as one tree.

    OpenEnvError
    ├── RequestError                the peer sent something wrong; its session is unharmed
    │   ├── InvalidJSONError
    │   ├── UnknownMessageError
    │   ├── InvalidMessageError     carries the path and kind of each fault
    │   ├── UnknownLaneError
    │   ├── CallCancelledError
    │   ├── TooManyRequestsError
    │   ├── MessageTooLargeError
    │   ├── NotJSONError
    │   ├── NotAcceptableError
    │   ├── HeaderMismatchError
    │   ├── UnsupportedRevisionError
    │   ├── SealBrokenError
    │   ├── ResetRequiredError
    │   ├── EpisodeDoneError
    │   ├── SnapshotsUnsupportedError
    │   ├── SnapshotMismatchError   of another class or version
    │   ├── UnknownSnapshotError
    │   ├── SnapshotLimitError
    │   ├── ToolsUnsupportedError
    │   ├── UnknownToolError
    │   ├── UnknownResourceError
    │   ├── UnknownPromptError
    │   ├── InvalidArgumentsError
    │   ├── CapabilityError         the client lacks what the author's code asks of it
    │   └── InvalidAnswerError
    ├── SessionError                the session cannot be used; a WebSocket is closed after it
    │   ├── UnknownSessionError
    │   ├── SessionAttachedError
    │   └── SessionClosedError
    ├── CapacityError               every environment the server may hold exists already
    ├── AuthorError                 the author's code failed
    │   ├── ExecutionError
    │   ├── FactoryError
    │   └── ToolFailedError
    ├── ConfigurationError          the operator or author declared something impossible
    └── TransportError              a client's connection failed
        ├── ConnectionFailedError
        ├── ConnectionLostError
        └── ReplyTimeoutError

What an error looks like on each wire rides on its class: `code` is the WebSocket error code,
`status` the HTTP status, `rpc_code` the JSON-RPC code, and `close_code`, where set, ends the
WebSocket after the error frame.
"""

from typing import Any, ClassVar

__all__ = [
    "AuthorError",
    "CallCancelledError",
    "CapabilityError",
    "CapacityError",
    "ConfigurationError",
    "ConnectionFailedError",
    "ConnectionLostError",
    "EpisodeDoneError",
    "ExecutionError",
    "FactoryError",
    "HeaderMismatchError",
    "InvalidAnswerError",
    "InvalidArgumentsError",
    "InvalidJSONError",
    "InvalidMessageError",
    "MessageTooLargeError",
    "NotAcceptableError",
    "NotJSONError",
    "OpenEnvError",
    "ReplyTimeoutError",
    "RequestError",
    "ResetRequiredError",
    "SealBrokenError",
    "SessionAttachedError",
    "SessionClosedError",
    "SessionError",
    "SnapshotLimitError",
    "SnapshotMismatchError",
    "SnapshotsUnsupportedError",
    "TooManyRequestsError",
    "ToolFailedError",
    "ToolsUnsupportedError",
    "TransportError",
    "UnknownLaneError",
    "UnknownMessageError",
    "UnknownPromptError",
    "UnknownResourceError",
    "UnknownSessionError",
    "UnknownSnapshotError",
    "UnknownToolError",
    "UnsupportedRevisionError",
]


class OpenEnvError(RuntimeError):
    """Root of the tree; a `RuntimeError`, so that callers of the original need no change."""

    code: ClassVar[str] = "EXECUTION_ERROR"
    status: ClassVar[int] = 500
    rpc_code: ClassVar[int] = -32603
    close_code: ClassVar[int | None] = None

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        # It may quote a file name that is not UTF-8, which no wire could carry.
        self.message = message.encode(errors="replace").decode()
        self.details = details
        """What the wire carries beside `message` and `code`."""


class RequestError(OpenEnvError):
    """The peer's message cannot be served; nothing of the author's ran."""

    code = "VALIDATION_ERROR"
    status = 422
    rpc_code = -32600


class InvalidJSONError(RequestError):
    """The bytes are not JSON text."""

    code = "INVALID_JSON"
    rpc_code = -32700


class UnknownMessageError(RequestError):
    """No message of this type exists in the mode the server runs in."""

    code = "UNKNOWN_TYPE"
    rpc_code = -32601


class InvalidMessageError(RequestError):
    """A field is missing, unknown or mistyped; `details["errors"]` lists where and how."""

    @property
    def errors(self) -> list[dict[str, Any]]:
        """One entry a fault: `type`, `loc` (path of keys and indices), `msg`, `input`."""
        faults: list[dict[str, Any]] = self.details.get("errors", [])
        return faults


class UnknownLaneError(RequestError):
    """No lane of this connection has this number."""

    code = "UNKNOWN_LANE"
    status = 404
    rpc_code = -32602


class CallCancelledError(RequestError):
    """The client cancelled the request before this lane was ready."""

    code = "CANCELLED"
    status = 409


class TooManyRequestsError(RequestError):
    """The client sends more than it waits for; nothing of this request ran."""

    code = "TOO_MANY_REQUESTS"
    status = 429


class MessageTooLargeError(RequestError):
    """The message is longer than the server reads; it was dropped unread."""

    code = "MESSAGE_TOO_LARGE"
    status = 413


class NotJSONError(RequestError):
    """The body of an HTTP request says that it is something else than JSON."""

    status = 415


class NotAcceptableError(RequestError):
    """The client does not accept what it would be sent."""

    status = 406


class HeaderMismatchError(RequestError):
    """An MCP header that repeats part of the body is missing, or says something else."""

    code = "HEADER_MISMATCH"
    status = 400
    rpc_code = -32020


class UnsupportedRevisionError(RequestError):
    """No such revision of MCP is spoken here; `details` carries `supported` and `requested`."""

    code = "UNSUPPORTED_REVISION"
    status = 400
    rpc_code = -32022


class SealBrokenError(RequestError):
    """A handle, state or cursor is none of ours: made up, altered, misplaced, or expired."""

    code = "SEAL_BROKEN"
    rpc_code = -32602


class ResetRequiredError(RequestError):
    """A step was sent before the first reset."""

    code = "RESET_REQUIRED"
    status = 409


class EpisodeDoneError(RequestError):
    """A step was sent after the episode ended."""

    code = "EPISODE_DONE"
    status = 409


class SnapshotsUnsupportedError(RequestError):
    """The environment's class defines no `snapshot` and `restore`."""

    code = "SNAPSHOTS_UNSUPPORTED"
    status = 404


class SnapshotMismatchError(RequestError):
    """The snapshot is of another environment class, or of another version of it."""

    code = "SNAPSHOT_MISMATCH"
    status = 409


class UnknownSnapshotError(RequestError):
    """No snapshot is kept here under this handle, or it has expired, or it is another's."""

    code = "UNKNOWN_SNAPSHOT"
    status = 404
    rpc_code = -32602


class SnapshotLimitError(RequestError):
    """The server keeps, or would tell at once, as many snapshots or bytes of them as it may.

    Nothing was added. `details` carries `max_snapshots` and `max_snapshot_bytes`, or
    `max_export_bytes`.
    """

    code = "SNAPSHOT_LIMIT"
    status = 507


class ToolsUnsupportedError(RequestError):
    """The environment offers no tools."""

    code = "TOOLS_UNSUPPORTED"
    status = 404
    rpc_code = -32603


class UnknownToolError(RequestError):
    """No tool of this name exists in the mode the session runs in."""

    code = "TOOL_NOT_FOUND"
    status = 404
    rpc_code = -32602


class UnknownResourceError(RequestError):
    """No resource has this URI; `details` carries `uri`. A template's function may raise it too."""

    code = "RESOURCE_NOT_FOUND"
    status = 404
    rpc_code = -32002


class UnknownPromptError(RequestError):
    """No prompt has this name."""

    code = "PROMPT_NOT_FOUND"
    status = 404
    rpc_code = -32602


class InvalidArgumentsError(RequestError):
    """The arguments do not fit the signature they are meant for."""

    code = "INVALID_ARGUMENTS"
    rpc_code = -32602


class CapabilityError(RequestError):
    """The client cannot do what was asked of it.

    `details` carries `requiredCapabilities`, as the client would have to declare them.
    """

    code = "CAPABILITY_MISSING"
    status = 400
    rpc_code = -32021


class InvalidAnswerError(RequestError):
    """What the client answered does not fit the question."""

    code = "INVALID_ANSWER"
    rpc_code = -32602


class SessionError(OpenEnvError):
    """The session cannot be used."""

    code = "SESSION_ERROR"
    status = 409
    rpc_code = -32600
    close_code = 1000


class UnknownSessionError(SessionError):
    """No session has this id, or it has expired."""

    status = 404
    rpc_code = -32602


class SessionAttachedError(SessionError):
    """Another WebSocket holds the session; one at a time may."""


class SessionClosedError(SessionError):
    """The session ended while the call was on its way."""


class CapacityError(OpenEnvError):
    """Refused: the server holds as many environments as it may.

    `details` carries `active_sessions`, `max_sessions` and `retry_after` in seconds.
    """

    code = "CAPACITY_REACHED"
    status = 503
    rpc_code = -32000
    close_code = 1000


class AuthorError(OpenEnvError):
    """Code that is not ours raised; what it said stays out of production's replies."""


class ExecutionError(AuthorError):
    """`reset`, `step` or `state` raised, or returned what cannot be sent."""


class FactoryError(AuthorError):
    """The environment could not be constructed; `details` carries `factory_name`."""

    code = "FACTORY_ERROR"
    rpc_code = -32000
    close_code = 1000


class ToolFailedError(AuthorError):
    """A tool raised. Raise it yourself to tell the model why, in production too."""

    code = "TOOL_FAILED"


class ConfigurationError(OpenEnvError, ValueError):
    """Raised at start-up, to the person who can mend it; never sent to a peer."""


class TransportError(OpenEnvError):
    """The client's connection, not the environment, failed."""

    code = "TRANSPORT_ERROR"


class ConnectionFailedError(TransportError, ConnectionError):
    """No connection could be made."""


class ConnectionLostError(TransportError, ConnectionError):
    """The connection broke while a reply was owed, so whether the call ran is not known."""


class ReplyTimeoutError(TransportError, TimeoutError):
    """No reply came in time. The late reply is discarded; the episode goes on."""
