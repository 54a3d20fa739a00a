"""Load from many connections in one process, each sending its next step on the reply.

picows carries it, being several times as fast as any server here: the server must be what is
measured. Argument: the number of connections.
"""

import asyncio
import itertools
import json
import sys

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.drives.exchange import (
    Sample,
    Target,
    check,
    messages,
    obey,
    reset_message,
    step_message,
    watch,
)

__all__ = ["Connection"]

WARM_UP_SECONDS = 0.3


class Connection(WSListener):
    """One closed loop. A reply is checked in full, or is the same bytes as one that was."""

    def __init__(self, number: int) -> None:
        self.steps = 0
        self.fault = ""
        texts = messages(number)
        self._frames = {text: step_message(text) for text in texts}
        self._turns = itertools.cycle(texts)
        self._asked = ""
        self._known: dict[str, bytes] = {}

    def on_ws_connected(self, transport: WSTransport) -> None:
        transport.send(WSMsgType.TEXT, reset_message())

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT:
            return
        reply = frame.get_payload_as_bytes()
        if self._asked and self._known.get(self._asked) != reply:
            self._learn(reply)
        self.steps += 1
        self._ask(transport)

    def _ask(self, transport: WSTransport) -> None:
        self._asked = next(self._turns)
        transport.send(WSMsgType.TEXT, self._frames[self._asked])

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.fault = self.fault or "the server closed the connection"

    def _learn(self, reply: bytes) -> None:
        data = json.loads(reply)["data"]
        try:
            check(self._asked, data.get("observation", data), data.get("reward"))
        except ValueError as error:
            self.fault = str(error)
            raise
        self._known[self._asked] = reply


async def crowd(target: Target, size: int) -> Sample:
    numbers = iter(range(size))
    joined = [
        await ws_connect(lambda: Connection(next(numbers)), f"ws://{target.address}/ws")
        for _ in range(size)
    ]
    connections = [listener for _, listener in joined if isinstance(listener, Connection)]
    await asyncio.sleep(WARM_UP_SECONDS)
    sample = await watch(connections, target)
    for transport, _ in joined:
        transport.disconnect()
    return sample


if __name__ == "__main__":
    obey(lambda target: uvloop.run(crowd(target, int(sys.argv[1]))))
