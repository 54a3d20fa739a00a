"""JSON-RPC 2.0 envelopes as OpenEnv writes them: every reply has `id`, every error has `data`."""

from typing import Any, Literal

import msgspec

from openenv_lite import codec
from openenv_lite.errors import InvalidJSONError, InvalidMessageError, OpenEnvError

__all__ = ["Request", "failure", "read", "request_id", "success"]


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """One request; without an `id` it is answered all the same, with `id` null."""

    jsonrpc: Literal["2.0"]
    method: str
    params: dict[str, Any] = {}
    id: str | int | None = None


def read(message: Any) -> Request:
    """A plain value to a request.

    Raises:
        InvalidMessageError: It is no JSON-RPC request; the text names the first fault.
    """
    try:
        request: Request = codec.convert(message, Request)
    except InvalidMessageError as error:
        raise InvalidMessageError(f"Invalid request: {_summary(error)}") from None
    return request


def request_id(message: Any) -> str | int | None:
    """The id of a message that may not be a request at all, so that its sender can tell."""
    found = message.get("id") if isinstance(message, dict) else None
    return found if isinstance(found, str | int) and not isinstance(found, bool) else None


def success(identity: str | int | None, result: Any) -> dict[str, Any]:
    """The reply to a request that was carried out."""
    return {"jsonrpc": "2.0", "id": identity, "result": result}


def failure(identity: str | int | None, error: OpenEnvError) -> dict[str, Any]:
    """The reply to a request that was not."""
    message = "Parse error" if isinstance(error, InvalidJSONError) else error.message
    body = {"code": error.rpc_code, "message": message, "data": error.details or None}
    return {"jsonrpc": "2.0", "id": identity, "error": body}


def _summary(error: InvalidMessageError) -> str:
    first = error.errors[0] if error.errors else {"loc": [], "msg": error.message}
    return f"{'.'.join(str(step) for step in first['loc'])}: {first['msg']}".removeprefix(": ")
