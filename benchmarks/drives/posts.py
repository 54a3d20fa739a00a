"""Tool calls by `POST /mcp` from many connections, each sending its next call on the reply.

A protocol on uvloop that splits replies itself, being several times as fast as any server here: the
server must be what is measured. Arguments: the number of connections, and the revision of MCP.
"""

import asyncio
import itertools
import sys
from collections.abc import Callable
from typing import Any

import uvloop

from benchmarks.drives.exchange import Sample, Target, messages, obey, watch
from benchmarks.drives.wires import (
    IDENTITY,
    LEGACY,
    NO_SESSION,
    Reply,
    call,
    check_call,
    ending,
    initialize,
    initialized,
    read_reply,
    session_of,
)

__all__: list[str] = []

WARM_UP_SECONDS, END_SECONDS = 0.3, 10.0


class Connection(asyncio.Protocol):
    """One closed loop. A reply is checked in full, or is but for its id one that was."""

    def __init__(self, number: int, address: str, revision: str) -> None:
        self.steps = 0
        self.fault = ""
        self.ended = asyncio.get_running_loop().create_future()
        self._address, self._revision = address, revision
        self._texts = messages(number)
        self._session = NO_SESSION
        self._is_leaving = False
        self._received = b""
        self._next: Callable[[Reply], None]

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.WriteTransport = transport
        if self._revision != LEGACY:
            self._begin()
            return
        self._next = self._join
        transport.write(initialize(self._address))

    def data_received(self, data: bytes) -> None:
        self._received += data
        try:
            reply = read_reply(self._received)
            if reply is not None:
                self._received = b""
                self._next(reply)
        except ValueError as error:
            self.fault = str(error)
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._is_leaving:
            self.fault = self.fault or "the server closed the connection"
        self.ended.set_result(None)

    def leave(self) -> None:
        """Send nothing more; `ended` is done once the last reply is here."""
        self._is_leaving = True

    def _join(self, reply: Reply) -> None:
        self._session = session_of(reply)
        self._next = lambda _: self._begin()
        self._transport.write(initialized(self._address, self._session))

    def _begin(self) -> None:
        requests = (call(self._address, self._revision, self._session, t) for t in self._texts)
        self._requests = {
            text: request.split(IDENTITY)
            for text, request in zip(self._texts, requests, strict=True)
        }
        self._known: dict[str, list[bytes]] = {}
        self._turns = itertools.cycle(self._texts)
        self._identities = itertools.count(int(IDENTITY))
        self._next = self._answered
        self._call()

    def _call(self) -> None:
        self._asked = next(self._turns)
        self._identity = b"%d" % next(self._identities)
        self._transport.write(self._identity.join(self._requests[self._asked]))

    def _answered(self, reply: Reply) -> None:
        known = self._known.get(self._asked)
        if known is None or self._identity.join(known) != reply.body or reply.head[9:12] != b"200":
            self._learn(reply)
        self.steps += 1
        if self._is_leaving:
            self._leave()
        else:
            self._call()

    def _learn(self, reply: Reply) -> None:
        check_call(self._revision, int(self._identity), self._asked, reply)
        self._known[self._asked] = reply.body.split(self._identity)

    def _leave(self) -> None:
        self._next = lambda _: self._transport.close()
        if self._session != NO_SESSION:
            self._transport.write(ending(self._address, self._session))
        else:
            self._transport.close()


async def crowd(target: Target, size: int, revision: str) -> Sample:
    host, _, port = target.address.partition(":")
    loop = asyncio.get_running_loop()
    numbers = iter(range(size))
    joined = [
        await loop.create_connection(
            lambda: Connection(next(numbers), target.address, revision), host, int(port)
        )
        for _ in range(size)
    ]
    connections = [connection for _, connection in joined]
    await asyncio.sleep(WARM_UP_SECONDS)
    sample = await watch(connections, target)
    for connection in connections:
        connection.leave()
    async with asyncio.timeout(END_SECONDS):
        await asyncio.gather(*(connection.ended for connection in connections))
    return sample


if __name__ == "__main__":
    obey(lambda target: uvloop.run(crowd(target, int(sys.argv[1]), sys.argv[2])))
