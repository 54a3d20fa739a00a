"""A client of our subprotocol on this event loop, and lanes with no client at all."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

from openenv_lite import ServerMode
from openenv_lite.batches import (
    JSON,
    MSGPACK,
    Autoreset,
    Cancel,
    Closed,
    Discarded,
    Exported,
    Format,
    Imported,
    Open,
    Opened,
    Refused,
    Restored,
    Results,
    Snapshots,
    States,
    Step,
    Told,
)
from openenv_lite.blueprint import Blueprint
from openenv_lite.pool import Pool, PoolSettings
from openenv_lite.vector import Vector
from tests.environments import Add
from tests.peer import Peer

__all__ = ["BOTH", "REPLY", "Lanes", "Speaker", "adding", "lanes_of"]

BOTH = [JSON, MSGPACK]

REPLY: Any = (
    Opened
    | Closed
    | Results[Any]
    | States
    | Told
    | Snapshots
    | Restored
    | Exported
    | Imported
    | Discarded
    | Refused
)

_READ = {form.subprotocol: form.decoder(REPLY) for form in BOTH}


class Speaker(Peer):
    """One connection: `async with Speaker(app, form) as peer: await peer.want(Open(id=1))`."""

    def __init__(self, app: Any, form: Format, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(app, headers=headers)
        self.form = form
        self.scope["subprotocols"] = ["nobody's", form.subprotocol]
        self.subprotocol: str | None = None
        self._replies: list[Any] = []
        self._arrived: asyncio.Queue[Any] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        return await super().__aenter__()

    def post(self, *requests: Any) -> None:
        """Send, and go on."""
        for each in requests:
            frame = self.form.encode(each)
            self.send(frame.decode() if self.form.is_text else frame)

    async def want(self, request: Any) -> Any:
        """Send, and wait for the reply."""
        self.post(request)
        return await self.reply(request.id)

    async def reply(self, identity: int | None) -> Any:
        """The reply to a request; those to others wait for whoever asks."""
        while True:
            for each in self._replies:
                if each.id == identity:
                    self._replies.remove(each)
                    return each
            self._replies.append(await asyncio.wait_for(self._arrived.get(), 10))

    @property
    def order(self) -> list[int | None]:
        """Ids of the replies that have come and nobody has asked for, in their order."""
        while not self._arrived.empty():
            self._replies.append(self._arrived.get_nowait())
        return [each.id for each in self._replies]

    async def _take(self, message: Any) -> None:
        if message["type"] != "websocket.send":
            self.subprotocol = message.get("subprotocol", self.subprotocol)
            await super()._take(message)
            return
        if self._gone or self.broken:
            raise OSError("the peer has gone")
        assert message.keys() == {"type", "text" if self.form.is_text else "bytes"}
        frame = message["text" if self.form.is_text else "bytes"]
        self._arrived.put_nowait(_READ[self.form.subprotocol](frame))


class Lanes:
    """A `Vector` and what it holds: `await lanes.do(Step(id=..., actions=[...]))`."""

    def __init__(self, vector: Vector, pool: Pool) -> None:
        self.vector = vector
        self.pool = pool
        self.ids = itertools.count(1000)

    async def do(self, request: Any) -> Any:
        """Answer one request."""
        answer = self.vector.answer(request)
        return await answer if asyncio.iscoroutine(answer) else answer

    def begin(self, request: Any) -> "asyncio.Task[Any]":
        """Answer one request meanwhile; it is under way when this returns."""
        answer = self.vector.answer(request)
        return asyncio.create_task(_as_it_is(answer))

    def cancel(self, request: int) -> None:
        """Stop a request."""
        self.vector.cancel(Cancel(id=request).id)


def adding(*amounts: int, lanes: list[int] | None = None, identity: int = 1, **more: Any) -> Any:
    """A step of `tests.environments`, one amount a lane."""
    return Step(id=identity, actions=[Add(amount=each) for each in amounts], lanes=lanes, **more)


async def _as_it_is(answer: Any) -> Any:
    return await answer if asyncio.iscoroutine(answer) else answer


@asynccontextmanager
async def lanes_of(
    kind: Any, count: int, autoreset: Autoreset = Autoreset.DISABLED
) -> AsyncIterator[Lanes]:
    """So many lanes of a class; at the end nothing may be left of them."""
    pool = Pool(Blueprint(kind), PoolSettings(max_sessions=max(count, 1)))
    lanes = Lanes(Vector(pool, ServerMode.SIMULATION), pool)
    if count:
        await lanes.do(Open(id=0, count=count, autoreset=autoreset))
    try:
        yield lanes
    finally:
        lanes.vector.cancel_all()
        await lanes.vector.leases.close_all()
    assert pool.statistics().active == 0
