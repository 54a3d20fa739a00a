"""OpenEnv's HTTP routes. Each request is an episode of its own unless it names a session."""

import functools
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from openenv_lite import codec
from openenv_lite.context import InputRequired
from openenv_lite.errors import InvalidJSONError, InvalidMessageError
from openenv_lite.failures import typed
from openenv_lite.pool import Pool
from openenv_lite.protocol import decode_action
from openenv_lite.server.failures import http_failure, json_response
from openenv_lite.types import ServerMode, StepResult

__all__ = ["ControlRoutes", "Endpoint", "answering", "body_of", "session_id_of"]

Endpoint = Callable[[Request], Awaitable[Response]]

ShortText = Annotated[str, msgspec.Meta(max_length=255)]


class ResetRequest(msgspec.Struct):
    """Body of `/reset`; the author's own options stand beside these."""

    seed: Annotated[int, msgspec.Meta(ge=0)] | None = None
    episode_id: ShortText | None = None


class StepRequest(msgspec.Struct):
    """Body of `/step`; the author's own options stand beside these."""

    action: dict[str, Any]
    timeout_s: Annotated[float, msgspec.Meta(gt=0)] | None = None
    request_id: ShortText | None = None


def answering(mode: ServerMode) -> Callable[[Endpoint], Endpoint]:
    """Wrap an endpoint so that every error becomes a response."""

    def wrap(endpoint: Endpoint) -> Endpoint:
        @functools.wraps(endpoint)
        async def answer(request: Request) -> Response:
            try:
                return await endpoint(request)
            except HTTPException:
                raise  # the body limit's own way to say 413
            except ClientDisconnect:
                return Response(status_code=400)  # nobody is left to read it
            except (Exception, InputRequired) as error:  # noqa: BLE001  the one door for HTTP
                return http_failure(typed(error, mode))

        return answer

    return wrap


class ControlRoutes:
    """`/reset`, `/step` and `/state`: what only a trainer may call.

    Args:
        pool: Where sessions come from.
        mode: The mode of the app the routes stand in.
    """

    def __init__(self, pool: Pool, mode: ServerMode) -> None:
        self._pool = pool
        self._mode = mode

    async def reset(self, request: Request) -> Response:
        """Begin an episode and return its first observation."""
        body = await body_of(request, ResetRequest, required=False)
        async with self._pool.lease(self._mode, session_id_of(request)) as session:
            return _result(await session.reset(body))

    async def step(self, request: Request) -> Response:
        """Carry out one action and return the next observation."""
        body = await body_of(request, StepRequest)
        action = decode_action(body.pop("action"), self._pool.blueprint.action_type)
        async with self._pool.lease(self._mode, session_id_of(request)) as session:
            step = session.step_alone if session_id_of(request) is None else session.step
            return _result(await step(action, body))

    async def state(self, request: Request) -> Response:
        """Return the inner state."""
        async with self._pool.lease(self._mode, session_id_of(request)) as session:
            return json_response(await session.state())


def session_id_of(request: Request) -> str | None:
    """The session that the request names."""
    return request.query_params.get("session_id")


async def body_of(request: Request, kind: Any, required: bool = True) -> dict[str, Any]:
    """The body as plain values, its known fields checked and converted.

    Raises:
        InvalidMessageError: It does not fit; `errors` says where.
    """
    text = await request.body()
    if not text and not required:
        return {}
    if not text:
        raise _fault("missing", ["body"], "Field required", None)
    body = _parse(text)
    if not isinstance(body, dict):
        raise _fault("model_attributes_type", ["body"], "Expected an object", body)
    try:
        known = codec.convert(body, kind)
    except InvalidMessageError as error:
        faults = [{**each, "loc": ["body", *each["loc"]]} for each in error.errors]
        raise InvalidMessageError(error.message, errors=faults) from None
    checked = {name: getattr(known, name) for name in known.__struct_fields__ if name in body}
    return {**body, **checked}


def _parse(text: bytes) -> Any:
    try:
        return codec.parse(text)
    except InvalidJSONError as error:
        raise _fault("json_invalid", ["body"], error.message, {}) from None


def _fault(kind: str, place: list[str], text: str, given: Any) -> InvalidMessageError:
    entry = {"type": kind, "loc": place, "msg": text, "input": given}
    return InvalidMessageError(text, errors=[entry])


def _result(result: StepResult[Any]) -> Response:
    """Over HTTP the reward is a float and `metadata` is always there, as OpenEnv has it."""
    body: dict[str, Any] = {
        "observation": result.observation,
        "reward": None if result.reward is None else float(result.reward),
        "done": result.done,
        "metadata": result.metadata or None,
    }
    if result.truncated:
        body["truncated"] = True
    return json_response(body)
