"""The one door by which an error leaves the server, whatever the transport."""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from openenv_lite import codec
from openenv_lite.errors import CapacityError, InvalidMessageError, OpenEnvError

__all__ = ["http_exception", "http_failure", "json_response"]


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response, encoded once."""
    return Response(codec.encode(body), status, headers, "application/json")


def http_failure(error: OpenEnvError) -> Response:
    """The error as OpenEnv's HTTP routes send it: `{"detail": text or list of faults}`."""
    headers = {}
    if isinstance(error, CapacityError):
        headers["Retry-After"] = str(max(1, round(error.details["retry_after"])))
    detail = error.errors if isinstance(error, InvalidMessageError) else error.message
    return json_response({"detail": detail}, error.status, headers)


async def http_exception(request: Request, error: Exception) -> Response:
    """Starlette's own refusals (404, 405, …) in the same form."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers) if error.headers else None
    return json_response({"detail": error.detail}, error.status_code, headers)
