"""Clients for environments of tools, the way OpenEnv's `MCPToolClient` reaches them.

A session is created over `/mcp`; tools are listed and called there. Only reset, step and state use
a WebSocket, attached to the same session when the first of them is called, so that the client also
serves where a server gives nobody control.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any, Self, Unpack

from openenv_lite import codec
from openenv_lite.client.async_client import EnvClient
from openenv_lite.client.http import AsyncPoster, SyncPoster, SyncPosterInProcess
from openenv_lite.client.rpc import (
    CALL_TOOL,
    CLOSE_SESSION,
    CREATE_SESSION,
    LIST_TOOLS,
    tools_of,
    value_of,
)
from openenv_lite.client.sync_client import SyncEnvClient
from openenv_lite.client.target import ASGIApp, ConnectionOptions
from openenv_lite.client.translation import Payload, open_struct, result_of
from openenv_lite.client.transport import AsyncTransport, SyncTransport
from openenv_lite.errors import OpenEnvError, TransportError, UnknownSessionError
from openenv_lite.types import (
    CallToolObservation,
    ListToolsObservation,
    Observation,
    ServerMode,
    State,
    StepResult,
    ToolSpec,
)

__all__ = ["FreeObservation", "MCPToolClient", "SyncMCPToolClient"]


class FreeObservation(Observation, kw_only=True, dict=True, forbid_unknown_fields=False):
    """An observation of an environment's own making; its fields are attributes."""


_KINDS: dict[str, type[Observation]] = {
    "tools": ListToolsObservation,
    "tool_name": CallToolObservation,
}


def _observation(fields: dict[str, Any]) -> Observation:
    """An observation in the type its fields belong to."""
    for mark, kind in _KINDS.items():
        if mark in fields and fields.keys() <= set(kind.__struct_fields__):
            known: Observation = codec.convert(fields, kind)
            return known
    free: Observation = open_struct(fields, FreeObservation)
    return free


class _Lease:
    """The session both routes share, and the tools it was found to have."""

    def __init__(self) -> None:
        self.session: str | None = None
        self.tools: list[ToolSpec] | None = None
        self.expired = False

    def missing(self, beginning: bool) -> bool:
        """Whether a session must be created; an expired one is replaced by a beginning only."""
        return self.session is None or (self.expired and beginning)

    def created(self, result: dict[str, Any]) -> None:
        self.session, self.tools, self.expired = result["session_id"], None, False

    def params(self, **more: Any) -> dict[str, Any]:
        return {**more, "session_id": self.session}

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Notice when the server says that it does not know the session any more."""
        try:
            yield
        except UnknownSessionError:
            self.expired = True
            raise


class MCPToolClient(EnvClient[Any, Observation, State]):
    """An agent's client: `list_tools` and `call_tool`; with `reset`, `step` and `state` as well.

    `step` takes tool actions and gives a `ListToolsObservation` or `CallToolObservation`, whose
    `result["content"]` holds images too, where `call_tool` gives plain values only.

    Raises:
        ValueError: `mode="simulation"`, or `record=`.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        app: ASGIApp | None = None,
        mode: str | None = None,
        **options: Unpack[ConnectionOptions],
    ) -> None:
        if (mode or ServerMode.PRODUCTION).lower() == ServerMode.SIMULATION:
            raise ValueError(
                "MCPToolClient speaks to tools in production mode; for simulation use "
                "GenericEnvClient and step(CallToolAction(...))"
            )
        if options.get("record") is not None:
            raise ValueError("An agent's calls are recorded by the server: `serve --record`")
        super().__init__(base_url, app=app, mode=mode or ServerMode.PRODUCTION, **options)

    def _begin(self) -> None:
        super()._begin()
        self._lease = _Lease()
        self._poster = AsyncPoster(self.target)
        self._joining = asyncio.Lock()

    def sync(self) -> "SyncMCPToolClient":
        """The same client for code without an event loop, with a session of its own."""
        return SyncMCPToolClient(self.target, self)

    async def connect(self) -> Self:
        """Create the session now rather than on the first call."""
        await self._join()
        return self

    async def list_tools(self, use_cache: bool = True) -> list[ToolSpec]:
        """The tools there are; asked for once, unless `use_cache` is off."""
        if self._lease.tools is None or not use_cache:
            self._lease.tools = tools_of(await self._post(LIST_TOOLS))
        return self._lease.tools

    async def call_tool(self, name: str, /, **arguments: Any) -> Any:
        """What the tool returns, as a plain value.

        Raises:
            UnknownToolError: No tool has this name.
            InvalidArgumentsError: The arguments do not fit it.
            ToolFailedError: The tool raised.
        """
        return value_of(name, await self._post(CALL_TOOL, name=name, arguments=arguments))

    async def get_tool(self, name: str) -> ToolSpec | None:
        """The tool of this name, None where there is none."""
        return next((tool for tool in await self.list_tools() if tool.name == name), None)

    async def has_tool(self, name: str) -> bool:
        """Whether there is a tool of this name."""
        return await self.get_tool(name) is not None

    async def close(self) -> None:
        """End the session on both routes."""
        await super().close()
        lease, self._lease = self._lease, _Lease()
        try:
            if lease.session is not None:
                with contextlib.suppress(TransportError, UnknownSessionError):  # ended already
                    await self._poster.call(CLOSE_SESSION, lease.params())
        finally:
            await self._poster.close()

    disconnect = close

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[Any]:
        data: Payload[Any] = codec.convert(payload, Payload[dict[str, Any]])
        data.observation = _observation(data.observation)
        return result_of(data)

    async def _join(self, beginning: bool = False) -> None:
        async with self._joining:
            if self._lease.missing(beginning):
                self._lease.created(await self._poster.call(CREATE_SESSION, {}))

    async def _post(self, method: str, **params: Any) -> Any:
        await self._join()
        with self._lease.watched():
            return await self._poster.call(method, self._lease.params(**params))

    async def _connection(self, beginning: bool = False) -> AsyncTransport:
        await self._join(beginning)
        self._exchange.attach = self._lease.session
        return await super()._connection(beginning)

    async def _abandon(self, transport: AsyncTransport, error: OpenEnvError) -> None:
        self._lease.expired |= isinstance(error, UnknownSessionError)
        await super()._abandon(transport, error)


class SyncMCPToolClient(SyncEnvClient[Any, Observation, State]):
    """`MCPToolClient` for code without an event loop, made by its `sync()`."""

    def _begin(self) -> None:
        super()._begin()
        self._lease = _Lease()
        self._poster: SyncPoster | SyncPosterInProcess = (
            SyncPoster(self.target)
            if self.target.app is None
            else SyncPosterInProcess(self.target, self._loop)
        )

    def connect(self) -> Self:
        """Create the session now rather than on the first call."""
        self._join()
        return self

    def list_tools(self, use_cache: bool = True) -> list[ToolSpec]:
        """The tools there are; asked for once, unless `use_cache` is off."""
        if self._lease.tools is None or not use_cache:
            self._lease.tools = tools_of(self._post(LIST_TOOLS))
        return self._lease.tools

    def call_tool(self, name: str, /, **arguments: Any) -> Any:
        """What the tool returns, as a plain value; raises as `MCPToolClient.call_tool` does."""
        return value_of(name, self._post(CALL_TOOL, name=name, arguments=arguments))

    def get_tool(self, name: str) -> ToolSpec | None:
        """The tool of this name, None where there is none."""
        return next((tool for tool in self.list_tools() if tool.name == name), None)

    def has_tool(self, name: str) -> bool:
        """Whether there is a tool of this name."""
        return self.get_tool(name) is not None

    def close(self) -> None:
        """End the session on both routes."""
        lease, self._lease = self._lease, _Lease()
        self._release()
        try:
            if lease.session is not None:
                with contextlib.suppress(TransportError, UnknownSessionError):  # ended already
                    self._poster.call(CLOSE_SESSION, lease.params())
        finally:
            self._poster.close()
            self._close_loop()

    disconnect = close

    def _join(self, beginning: bool = False) -> None:
        if self._lease.missing(beginning):
            self._lease.created(self._poster.call(CREATE_SESSION, {}))

    def _post(self, method: str, **params: Any) -> Any:
        self._join()
        with self._lease.watched():
            return self._poster.call(method, self._lease.params(**params))

    def _connection(self, beginning: bool = False) -> SyncTransport:
        self._join(beginning)
        self._exchange.attach = self._lease.session
        return super()._connection(beginning)

    def _abandon(self, transport: SyncTransport, error: OpenEnvError) -> None:
        self._lease.expired |= isinstance(error, UnknownSessionError)
        super()._abandon(transport, error)
