"""MCP clients of a `Service` on this event loop, one class a wire; nothing of HTTP in between."""

import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from openenv_lite import ServerMode
from openenv_lite.blueprint import Blueprint
from openenv_lite.conversation.dialect import Caller
from openenv_lite.conversation.link import Link
from openenv_lite.conversation.service import Inbound, Service
from openenv_lite.conversation.site import Site, SiteSettings
from openenv_lite.conversation.stream import Answer, Stream
from openenv_lite.conversation.tenant import Guest
from openenv_lite.pool import Pool, PoolSettings
from openenv_lite.session import Session
from tests.conversation.world import World
from tests.leaks import until
from tests.manual_clock import ManualClock

__all__ = [
    "ALL",
    "IDLE_S",
    "KEY",
    "META",
    "WIRES",
    "House",
    "Legacy",
    "Linked",
    "LinkedModern",
    "Modern",
    "Wire",
    "accepted",
    "connect",
    "house",
    "notes",
    "text_of",
]

KEY = b"thirty-two bytes for a test's key"
ALL: dict[str, Any] = {"elicitation": {}, "sampling": {}, "roots": {}}
META = "io.modelcontextprotocol/"
IDLE_S = 100.0

Reply = dict[str, Any]


class House:
    """A pool and the service in front of it, at a time that tests turn."""

    def __init__(self, kind: Any = World, mode: str = "production", **settings: Any) -> None:
        self.clock = ManualClock()
        most = settings.pop("most", 5)
        limits = PoolSettings(max_sessions=most, idle_timeout_s=IDLE_S)
        self.pool = Pool(Blueprint(kind), limits, self.clock)
        self.mode = ServerMode(mode)
        self.service = self.another(**settings)

    def another(self, mode: str | None = None, **settings: Any) -> Service:
        """A further service on the same pool, perhaps in another mode."""
        given = {"name": "world", "version": "1", "key": KEY, "idle_timeout_s": IDLE_S}
        site = SiteSettings(**{**given, **settings})
        return Service(Site(self.pool, ServerMode(mode or self.mode), site, time=self.clock.now))

    async def trainer(self, owner: str | None = None) -> Session:
        """A session as a trainer opens it on `/ws`."""
        return await self.pool.open(self.mode, owner=owner)


@contextlib.asynccontextmanager
async def house(
    kind: Any = World, mode: str = "production", **settings: Any
) -> AsyncIterator[House]:
    """At the end everything is closed, and no environment may be left."""
    World.begin_anew()
    found = House(kind, mode, **settings)
    try:
        yield found
    finally:
        World.barrier.set()
        await found.service.close()
        await found.pool.aclose()
    assert World.alive == []
    assert found.pool.statistics().active == 0


class Wire:
    """A client. `heard` is what came before answers, `raw` every byte that ever came.

    Args:
        house: Whose.
        principal: Who it is.
        session_id: What its URL names.
        capabilities: What it declares.
    """

    def __init__(
        self,
        house: House,
        principal: str | None = None,
        session_id: str | None = None,
        capabilities: dict[str, Any] = ALL,
    ) -> None:
        self.house = house
        self.service = house.service
        self.principal = principal
        self.session_id = session_id
        self.capabilities = capabilities
        self.heard: list[Any] = []
        self.raw = b""
        self.last: Answer | None = None
        self.answer: Callable[[Any], Any] = lambda asked: {"result": accepted("Ann")}
        self._ids = itertools.count(1)

    async def begin(self) -> "Wire":
        """Whatever comes before the first request."""
        return self

    async def request(self, method: str, /, **params: Any) -> Reply:
        """The reply to a request, result or error."""
        return await self.finish(self.send(method, params))

    def send(self, method: str, params: Any, identity: Any = None) -> Any:
        """Send a request; what follows from it."""
        raise NotImplementedError

    async def finish(self, taken: Any) -> Reply:
        """Read to the end of what followed from a request."""
        raise NotImplementedError

    async def end(self) -> None:
        """Go; only a connection must."""

    async def tool(self, tool: str, /, **arguments: Any) -> Reply:
        """The result of a tool call."""
        reply = await self.request("tools/call", name=tool, arguments=arguments)
        assert "result" in reply, reply
        result: Reply = reply["result"]
        return result

    def note(self, body: bytes) -> Any:
        """Keep what came."""
        self.raw += body + b"\n"
        return msgspec.json.decode(body)


class _Posting(Wire):
    """Each request has a stream of its own."""

    def post(self, message: Any, **headers: str) -> Answer | Stream:
        """Send a message as it stands."""
        body = message if isinstance(message, bytes) else msgspec.json.encode(message)
        named = {k.replace("_", "-").encode(): v.encode() for k, v in headers.items()}
        return self.service.receive(Inbound(body, named, self.principal, self.session_id))

    async def finish(self, taken: Answer | Stream) -> Reply:
        if isinstance(taken, Stream):
            await self.listen(taken)
            self.last = taken.answer
            assert self.last is not None
            return {} if self.last.status == 202 else self.heard.pop()
        self.last = taken
        return {} if taken.body is None else self.note(taken.body)

    async def listen(self, stream: Stream, after: int | None = None) -> list[int]:
        """Read a stream to its end, answering what is asked; the numbers of its events."""
        numbers = []
        async for event in stream.read(after):
            numbers.append(event.number)
            message = self.note(event.body)
            self.heard.append(message)
            if "method" in message and "id" in message:
                self.settle(message["id"], self.answer(message))
        return numbers

    def settle(self, identity: Any, answer: Any) -> None:
        """Answer something that was asked, or not where the answer is None."""
        if answer is not None:
            self.inform({"jsonrpc": "2.0", "id": identity, **answer})

    def inform(self, message: Any) -> None:
        """Send what has no answer."""
        raise NotImplementedError


class Legacy(_Posting):
    """A revision with a handshake."""

    revision = "2025-11-25"
    session = ""

    async def begin(self) -> "Legacy":
        self.last = self.greet()
        assert self.last.session_id is not None, self.last
        self.session = self.last.session_id
        self.inform({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return self

    def greet(self) -> Answer:
        """Send `initialize`."""
        info = {"name": "test", "version": "1"}
        asked = {"protocolVersion": self.revision, "capabilities": self.capabilities}
        params = {**asked, "clientInfo": info}
        message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        answer = self.post(message)
        assert isinstance(answer, Answer)
        return answer

    def send(self, method: str, params: Any, identity: Any = None) -> Answer | Stream:
        number = next(self._ids) if identity is None else identity
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        return self.post_on(message)

    def post_on(self, message: Any) -> Answer | Stream:
        """Send a message within the session."""
        return self.post(message, mcp_session_id=self.session, mcp_protocol_version=self.revision)

    def inform(self, message: Any) -> None:
        taken = self.post_on(message)
        assert isinstance(taken, Answer)
        assert (taken.status, taken.body) == (202, None)

    def cancel(self, identity: Any) -> None:
        """Take a request back."""
        params = {"requestId": identity}
        self.inform({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})

    @property
    def outlet(self) -> Stream:
        """What a GET reads."""
        conversation = self.service.conversations.find(self.session, self.principal)
        return self.service.conversations.resume(conversation, None)[0]

    async def leave(self) -> None:
        """As DELETE does."""
        conversation = self.service.conversations.find(self.session, self.principal)
        await self.service.conversations.end(conversation)


class Modern(_Posting):
    """2026-07-28."""

    handle: str | None = None
    log_level: str | None = None
    token: int | str | None = None

    async def open(self) -> "Modern":
        """Open an environment, whose handle goes with every further tool call."""
        result = await self.tool("openenv_open_session")
        self.handle = result["structuredContent"]["openenv_session"]
        return self

    def meta(self) -> dict[str, Any]:
        """What every request says of itself."""
        found: dict[str, Any] = {f"{META}protocolVersion": "2026-07-28"}
        found[f"{META}clientCapabilities"] = self.capabilities
        if self.log_level is not None:
            found[f"{META}logLevel"] = self.log_level
        if self.token is not None:
            found["progressToken"] = self.token
        return found

    def send(self, method: str, params: Any, identity: Any = None) -> Answer | Stream:
        if self.handle is not None and method == "tools/call":
            arguments = {**params.get("arguments", {}), "openenv_session": self.handle}
            params = {**params, "arguments": arguments}
        number = next(self._ids) if identity is None else identity
        params = {**params, "_meta": self.meta()}
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        headers = {"mcp_protocol_version": "2026-07-28", "mcp_method": method}
        name = params.get("name", params.get("uri"))
        if name is not None:
            headers["mcp_name"] = name
        return self.post(message, **headers)


class Linked(Wire):
    """One connection, as a WebSocket is, in a session of its own or in the one named."""

    is_modern = False
    link: Link

    async def begin(self) -> "Linked":
        self.replies: dict[Any, Any] = {}
        session = await self._session()
        principal, mode = self.principal, self.house.mode
        tenant = Guest(self.house.pool, mode, session.id, principal)
        self.link = Link(self.service, tenant, Caller(session, principal), self.write)
        if not self.is_modern:
            params = {"protocolVersion": "2025-11-25", "capabilities": self.capabilities}
            welcome = await self.request("initialize", **params)
            assert welcome["result"]["protocolVersion"] == "2025-11-25"
        return self

    async def _session(self) -> Session:
        if self.session_id is None:
            return await self.house.trainer(self.principal)
        return self.house.pool.touch(self.session_id, self.house.mode, self.principal)

    async def write(self, body: bytes) -> None:
        """What the link sends."""
        message = self.note(body)
        if "method" not in message:
            self.replies[message.get("id")] = message
            return
        self.heard.append(message)
        if "id" in message and (answer := self.answer(message)) is not None:
            self.put({"jsonrpc": "2.0", "id": message["id"], **answer})

    async def end(self) -> None:
        await self.link.close()

    def put(self, message: Any) -> Any:
        """Send a message as it stands."""
        return self.link.receive(msgspec.json.encode(message).decode())

    def send(self, method: str, params: Any, identity: Any = None) -> Any:
        number = next(self._ids) if identity is None else identity
        if self.is_modern:
            versions = {f"{META}protocolVersion": "2026-07-28"}
            params = {**params, "_meta": {**versions, f"{META}clientCapabilities": ALL}}
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        assert self.put(message) is None
        return number

    async def finish(self, taken: Any) -> Reply:
        await until(lambda: taken in self.replies)
        reply: Reply = self.replies.pop(taken)
        return reply


class LinkedModern(Linked):
    """The same on 2026-07-28."""

    is_modern = True

    async def begin(self) -> "LinkedModern":
        await super().begin()
        assert "result" in await self.request("server/discover")
        return self


_KINDS: dict[str, type[Wire]] = {
    "session": Legacy,
    "common": Modern,
    "named session": Legacy,
    "named": Modern,
    "link": Linked,
    "modern link": LinkedModern,
    "handle": Modern,
}
WIRES = tuple(_KINDS)
"""Every way to reach an environment; in simulation there are no handles."""


async def connect(wire: str, house: House, principal: str | None = None) -> Wire:
    """A client of this kind that may call tools."""
    named = (await house.trainer(principal)).id if wire.startswith("named") else None
    client = await _KINDS[wire](house, principal, named).begin()
    if wire == "handle":
        assert isinstance(client, Modern)
        await client.open()
    return client


def accepted(name: Any) -> dict[str, Any]:
    """A form filled in."""
    return {"action": "accept", "content": {"name": name}}


def text_of(result: Reply) -> str:
    """The first text of a tool's result."""
    text: str = result["content"][0]["text"]
    return text


def notes(wire: Wire, method: str) -> list[Any]:
    """The `params` of the notifications of one kind that a client has heard, in order."""
    wanted = f"notifications/{method}"
    return [each["params"] for each in wire.heard if each.get("method") == wanted]
