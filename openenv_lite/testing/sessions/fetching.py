"""HTTP answers of servers that nobody vouches for: bounded in size and in time."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx

from openenv_lite.errors import ConnectionFailedError, MessageTooLargeError, ReplyTimeoutError

__all__ = ["MOST_BYTES", "fetched"]

MOST_BYTES = 8 * 1024 * 1024
"""Of a body; servers read no larger ones either."""

_LONGEST_S = 20.0
"""From the first byte of a request to the last of its answer."""

_UNPACKED = {"accept-encoding": "identity"}


async def fetched(
    client: httpx.AsyncClient, method: str, path: str, given: Mapping[str, Any]
) -> httpx.Response:
    """One HTTP request and its whole answer; `given` as `httpx` takes it.

    Raises:
        ConnectionFailedError: Nobody answers, or the answer is no HTTP.
        ReplyTimeoutError: It takes too long, however lively it is.
        MessageTooLargeError: It is too large.
    """
    headers = {**_UNPACKED, **(given.get("headers") or {})}
    try:
        async with (
            asyncio.timeout(_LONGEST_S),
            client.stream(method, path, **{**given, "headers": headers}) as response,
        ):
            body = await _body_of(response)
    except TimeoutError:
        raise ReplyTimeoutError(f"{path} was not answered within {_LONGEST_S:g} s") from None
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise ConnectionFailedError(f"{path} was not answered: {error}") from None
    told = [pair for pair in response.headers.raw if pair[0].lower() != b"content-encoding"]
    return httpx.Response(
        response.status_code, headers=told, content=body, request=response.request
    )


async def _body_of(response: httpx.Response) -> bytes:
    body = bytearray()
    async for part in response.aiter_bytes(65536):
        body += part
        if len(body) > MOST_BYTES:
            raise MessageTooLargeError(f"An answer of more than {MOST_BYTES:,} bytes")
    return bytes(body)
