"""Posting JSON-RPC to `/mcp`: over HTTP or to an app of this process, async and sync."""

import contextlib
from collections.abc import Iterator
from typing import Any

import httpx

from openenv_lite.client.rpc import Rpc
from openenv_lite.client.sync_inprocess import OwnLoop
from openenv_lite.client.target import Target
from openenv_lite.errors import ConnectionFailedError, ConnectionLostError, ReplyTimeoutError

__all__ = ["AsyncPoster", "SyncPoster", "SyncPosterInProcess", "transport_to"]


class AsyncPoster:
    """JSON-RPC calls on the caller's loop; the connection is made on the first one."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._rpc = Rpc()
        self._client: httpx.AsyncClient | None = None

    async def call(self, method: str, params: dict[str, Any]) -> Any:
        """The result of one call.

        Raises:
            OpenEnvError: The connection failed, or what the server answered instead of a result.
        """
        if self._client is None:
            self._client = httpx.AsyncClient(
                transport=transport_to(self._target), **_settings(self._target)
            )
        with _typed_failures(method):
            reply = await self._client.post(
                self._target.http_url("mcp"), content=self._rpc.request(method, params)
            )
        return self._rpc.result(method, reply.status_code, reply.content)

    async def close(self) -> None:
        """Close the connection; a later call makes another."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


class SyncPoster:
    """As `AsyncPoster`, blocking; over HTTP only."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._rpc = Rpc()
        self._client: httpx.Client | None = None

    def call(self, method: str, params: dict[str, Any]) -> Any:
        """See `AsyncPoster`."""
        if self._client is None:
            path = self._target.unix_path
            transport = None if path is None else httpx.HTTPTransport(uds=path)
            self._client = httpx.Client(transport=transport, **_settings(self._target))
        with _typed_failures(method):
            reply = self._client.post(
                self._target.http_url("mcp"), content=self._rpc.request(method, params)
            )
        return self._rpc.result(method, reply.status_code, reply.content)

    def close(self) -> None:
        """See `AsyncPoster`."""
        client, self._client = self._client, None
        if client is not None:
            client.close()


class SyncPosterInProcess:
    """As `SyncPoster`, to an app on a loop of the client's own."""

    def __init__(self, target: Target, loop: OwnLoop) -> None:
        self._inner = AsyncPoster(target)
        self._loop = loop

    def call(self, method: str, params: dict[str, Any]) -> Any:
        """See `AsyncPoster`."""
        return self._loop.run(self._inner.call(method, params))

    def close(self) -> None:
        """See `AsyncPoster`."""
        self._loop.run(self._inner.close())


def transport_to(target: Target) -> httpx.AsyncBaseTransport | None:
    """What is not TCP."""
    if target.app is not None:
        return httpx.ASGITransport(target.app)
    return None if target.unix_path is None else httpx.AsyncHTTPTransport(uds=target.unix_path)


def _settings(target: Target) -> dict[str, Any]:
    settings = target.settings
    timeout = httpx.Timeout(settings.message_timeout_s, connect=settings.connect_timeout_s)
    headers = {"content-type": "application/json", **(settings.headers or {})}
    return {"timeout": timeout, "headers": headers}


@contextlib.contextmanager
def _typed_failures(method: str) -> Iterator[None]:
    """Raise the failures of httpx as ours."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise ConnectionFailedError(f"Cannot connect for {method}: {error}") from error
    except httpx.TimeoutException as error:
        raise ReplyTimeoutError(f"No reply to {method} in time") from error
    except httpx.TransportError as error:
        raise ConnectionLostError(f"The connection was lost during {method}: {error}") from error
