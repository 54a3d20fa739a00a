"""An app that serves `World`s, and clients of its `/mcp` over HTTP, on this event loop."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from openenv_lite import create_app
from tests.conversation.clients import ALL, IDLE_S, META
from tests.conversation.exchange import Exchange
from tests.conversation.world import World
from tests.manual_clock import ManualClock

__all__ = ["Browser", "serving"]


@contextlib.asynccontextmanager
async def serving(
    kind: Any = World, mode: str = "production", **settings: Any
) -> AsyncIterator[Any]:
    """An app whose environments are all gone in the end."""
    World.begin_anew()
    given = {"max_concurrent_envs": 5, "idle_timeout_s": IDLE_S, "clock": ManualClock()}
    app = create_app(kind, mode=mode, **{**given, **settings})
    try:
        yield app
    finally:
        World.barrier.set()
        await app.state.server.aclose()
    assert World.alive == []


class Browser:
    """A client of one app, in one era, by the name of one principal."""

    def __init__(
        self, app: Any, revision: str = "2025-11-25", token: str = "", query: str = ""
    ) -> None:
        self.app = app
        self.revision = revision
        self.query = query
        self.headers = {"mcp-protocol-version": revision}
        if token:
            self.headers["authorization"] = f"Bearer {token}"

    @property
    def is_modern(self) -> bool:
        """Whether it speaks the revision without sessions."""
        return self.revision == "2026-07-28"

    async def begin(self) -> "Browser":
        """Shake hands, where the revision has that."""
        if not self.is_modern:
            params = {"protocolVersion": self.revision, "capabilities": ALL}
            async with self.post("initialize", params) as reply:
                await reply.json()
                self.headers["mcp-session-id"] = reply.headers["mcp-session-id"]
        return self

    def post(self, method: str, params: Any = None, identity: Any = 1) -> Exchange:
        """A request."""
        headers, params = dict(self.headers), dict(params or {})
        if self.is_modern:
            given = {f"{META}protocolVersion": self.revision, f"{META}clientCapabilities": ALL}
            params["_meta"] = {**given, f"{META}logLevel": "info"}
            headers["mcp-method"] = method
            if "name" in params:
                headers["mcp-name"] = params["name"]
        message = {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}
        return Exchange(self.app, "POST", message, headers, self.query)

    def tool(self, tool: str, identity: Any = 1, **arguments: Any) -> Exchange:
        """A tool call."""
        return self.post("tools/call", {"name": tool, "arguments": arguments}, identity)

    def get(self, last: str | None = None) -> Exchange:
        """The stream of what belongs to no request, or the rest of the one left at this event."""
        headers = {**self.headers, **({} if last is None else {"last-event-id": last})}
        return Exchange(self.app, "GET", None, headers)

    async def say(self, message: Any) -> int:
        """The status of the reply to a message as it stands."""
        async with Exchange(self.app, "POST", message, self.headers) as reply:
            return (await reply.begun()).status

    async def delete(self) -> int:
        """The status of the reply to a farewell."""
        async with Exchange(self.app, "DELETE", None, self.headers) as reply:
            return (await reply.begun()).status
