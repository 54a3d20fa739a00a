"""What a server's error frame says, as the class of the error tree that it means."""

from collections.abc import Iterator, Mapping
from typing import Any

from openenv_lite.errors import (
    ExecutionError,
    InvalidMessageError,
    OpenEnvError,
    SessionAttachedError,
    SessionError,
    UnknownSessionError,
)

__all__ = ["error_of", "session_error"]


def error_of(data: Mapping[str, Any]) -> OpenEnvError:
    """The typed error for the `data` of an error frame.

    An unknown code gives an `OpenEnvError` with the code among its details.
    """
    details = {key: value for key, value in data.items() if key not in ("message", "code")}
    message, code = str(data.get("message", "")), str(data.get("code", ""))
    kind = _ERRORS.get(code)
    if kind is InvalidMessageError:
        message += _first_fault(details.get("errors"))
    if kind is None:
        return OpenEnvError(message, code=code, **details)
    if kind is SessionError:
        kind = session_error(message)
    return kind(message, **details)


def _first_fault(faults: Any) -> str:
    """Where and what, for who reads the message and not the list."""
    if not isinstance(faults, list) or not faults or not isinstance(faults[0], dict):
        return ""
    place = ".".join(str(step) for step in faults[0].get("loc", ()))
    return f": {place}: {faults[0].get('msg', '')}"


def session_error(message: str) -> type[SessionError]:
    """Which session error a text of OpenEnv's means; the wire has one code for all of them."""
    if message.startswith("Unknown session_id"):
        return UnknownSessionError
    if message.endswith("already has an attached WebSocket"):
        return SessionAttachedError
    return SessionError


def _tree(kind: type[OpenEnvError]) -> Iterator[type[OpenEnvError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)


_ERRORS: dict[str, type[OpenEnvError]] = {
    **{kind.code: kind for kind in _tree(OpenEnvError) if "code" in vars(kind)},
    # Codes that several classes share: the class a server means by them.
    ExecutionError.code: ExecutionError,
    InvalidMessageError.code: InvalidMessageError,
}
