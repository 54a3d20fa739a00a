"""What a served environment says of its types."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

import httpx
import msgspec

from openenv_lite import codec
from openenv_lite.blueprint import Blueprint
from openenv_lite.client.target import ASGIApp, ConnectionSettings, Target
from openenv_lite.client.vector_plan import VectorPlan
from openenv_lite.errors import ConfigurationError, ConnectionFailedError

__all__ = ["Schema", "schemas_of"]

Schema = dict[str, Any]


def schemas_of(plan: VectorPlan) -> dict[str, Schema]:
    """The JSON Schemas of `action` and `observation`: of the class, or as `/schema` tells them.

    Raises:
        ConnectionFailedError: There is no server.
        ConfigurationError: It is none of ours.
    """
    if plan.target is None:
        assert plan.env is not None
        return _of_class(plan.env)
    try:
        reply = _schema_reply(plan.target)
    except httpx.HTTPError as error:
        url = plan.target.http_url("schema")
        raise ConnectionFailedError(f"Cannot read {url}: {error}") from error
    try:
        return msgspec.json.decode(reply.raise_for_status().content, type=dict[str, Schema])
    except (httpx.HTTPStatusError, msgspec.DecodeError) as error:
        raise ConfigurationError(f"{reply.url} tells no schemas: {error}") from error


def _of_class(env: Callable[[], Any]) -> dict[str, Schema]:
    blueprint = Blueprint(env)
    return {
        "action": codec.json_schema(blueprint.action_type),
        "observation": codec.json_schema(blueprint.observation_type),
    }


def _schema_reply(target: Target) -> httpx.Response:
    url, settings = target.http_url("schema"), target.settings
    if target.app is not None:
        return asyncio.run(_from_app(target.app, url, settings.headers))
    path = target.unix_path
    transport = None if path is None else httpx.HTTPTransport(uds=path)
    timeout = httpx.Timeout(settings.message_timeout_s, connect=settings.connect_timeout_s)
    headers = {**(settings.headers or {}), "accept-encoding": "identity"}
    with (
        httpx.Client(transport=transport, timeout=timeout, headers=headers) as client,
        client.stream("GET", url) as response,
    ):
        body = _body_of(response, settings)
    return httpx.Response(response.status_code, content=body, request=response.request)


def _body_of(response: httpx.Response, settings: ConnectionSettings) -> bytes:
    """Not unpacked, not endless, and not a byte a minute."""
    body, most, begun = bytearray(), settings.max_message_bytes, time.monotonic()
    for part in response.iter_raw():
        body += part
        if len(body) > most:
            raise ConfigurationError(f"{response.url} tells more than {most:,} bytes")
        if time.monotonic() - begun > (settings.message_timeout_s or math.inf):
            raise httpx.ReadTimeout(f"{response.url} takes too long to tell its schemas")
    return bytes(body)


async def _from_app(app: ASGIApp, url: str, headers: dict[str, str] | None) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), headers=headers) as client:
        return await client.get(url)
