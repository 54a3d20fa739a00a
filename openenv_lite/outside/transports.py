"""The two ways to an outside server, each of which tells when the server is lost."""

import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio
import httpx2
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

__all__ = ["Child", "Endpoint", "Way"]

log = logging.getLogger(__name__)

Lost = Callable[[], None]
"""Called once the server can no longer be reached this way; again does no harm."""


class Child:
    """A program to start, which speaks MCP on its stdin and stdout.

    It inherits our stderr, so that what it complains of stands where our own log does.
    """

    def __init__(
        self, command: list[str], env: Mapping[str, str] | None, cwd: str | Path | None
    ) -> None:
        self._parameters = StdioServerParameters(
            command=command[0], args=command[1:], env=dict(env) if env else None, cwd=cwd
        )

    @property
    def label(self) -> str:
        """What an error may call it: the program alone, for arguments may be secret."""
        return Path(self._parameters.command).name

    @contextlib.asynccontextmanager
    async def transport(self, lost: Lost) -> AsyncIterator[tuple[Any, Any]]:
        """Start it; on the way out stop it, by force after a while, with all that it started."""
        # Named here, for the default is what `sys.stderr` was when `mcp` was imported.
        stderr = sys.__stderr__ or sys.stderr
        with anyio.CancelScope(shield=True) as starting:
            # Cancelled within the start, `mcp` would forget a process that exists already.
            async with stdio_client(self._parameters, errlog=stderr) as (reading, writing):
                starting.shield = False
                yield _Watched(reading, lost), writing


class Endpoint:
    """A URL that speaks Streamable HTTP."""

    def __init__(self, url: str, headers: Mapping[str, str], timeout_s: float) -> None:
        self._url = url
        self._headers = headers
        self._timeout_s = timeout_s

    @property
    def label(self) -> str:
        """What an error may call it: the URL without the parts that may be secret."""
        url = httpx2.URL(self._url)
        return str(url.copy_with(userinfo=b"", query=None, fragment=None))

    @contextlib.asynccontextmanager
    async def transport(self, lost: Lost) -> AsyncIterator[tuple[Any, Any]]:
        """Talk to it; a request that cannot be sent at all ends the whole transport."""

        async def watch(response: httpx2.Response) -> None:
            status = response.status_code
            if status in (401, 403):
                log.warning("Outside server %r answers HTTP %d; see `headers=`", self.label, status)
            if status == 404 and "mcp-session-id" in response.request.headers:
                lost()  # the server has forgotten our session, and MCP wants a new one begun

        # No limit on reading: a call has its own, and one given up by us may never be answered.
        http = httpx2.AsyncClient(
            headers=self._headers,
            timeout=httpx2.Timeout(self._timeout_s, read=None),
            event_hooks={"response": [watch]},
        )
        async with http, streamable_http_client(self._url, http_client=http) as streams:
            yield streams


Way = Child | Endpoint


class _Watched:
    """A stream of messages that tells when it has ended."""

    def __init__(self, stream: Any, lost: Lost) -> None:
        self._stream = stream
        self._lost = lost

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self._stream.__anext__()
        except StopAsyncIteration:
            self._lost()
            raise

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stream.__aexit__(kind, error, trace)
