"""Load of batched steps in frames made beforehand, two on their way at a time.

picows carries them, and the server always has the next one: it is what is measured. Arguments: the
encoding, and the number of lanes.
"""

import asyncio
import itertools
import sys

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.drives.batches import JSON, check_reply, opening, read, reset, step, turns
from benchmarks.drives.codec import answering
from benchmarks.drives.exchange import Sample, Target, obey, watch

__all__: list[str] = []

WARM_UP_SECONDS, ON_THEIR_WAY = 0.3, 2


class Connection(WSListener):
    """A reply is checked in full, or is the same bytes as one that was.

    It must also be what the codec's limit answers, which is no limit of something else.
    """

    def __init__(self, encoding: str, lanes: int) -> None:
        self.steps = 0
        self.fault = ""
        self._encoding, self._lanes = encoding, lanes
        self._kind = WSMsgType.TEXT if encoding == JSON else WSMsgType.BINARY
        self._batches = turns(lanes)
        self._frames = [step(encoding, *numbered) for numbered in enumerate(self._batches)]
        self._limit = answering(encoding, lanes)
        self._known: dict[int, bytes] = {}
        self._sent = itertools.cycle(range(len(self._batches)))
        self._due = itertools.cycle(range(len(self._batches)))
        self._answers = [self._opened, self._begun]

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._send(opening(self._encoding, self._lanes))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != self._kind:
            return
        try:
            self._answered(frame.get_payload_as_bytes())
        except ValueError as error:
            self.fault = str(error)
            raise

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.fault = self.fault or "the server closed the connection"

    def _answered(self, reply: bytes) -> None:
        if self._answers:
            self._answers.pop(0)(reply)
            return
        due = next(self._due)
        if self._known.get(due) != reply:
            self._learn(due, reply)
        self.steps += self._lanes
        self._send(self._frames[next(self._sent)])

    def _learn(self, due: int, reply: bytes) -> None:
        check_reply(due, self._batches[due], read(self._encoding, reply))
        if read(self._encoding, self._limit(self._frames[due])) != read(self._encoding, reply):
            raise ValueError(f"The codec's limit answers with something other than {reply!r}")
        self._known[due] = reply

    def _opened(self, reply: bytes) -> None:
        if read(self._encoding, reply)["type"] != "opened":
            raise ValueError(f"No lanes were opened: {reply!r}")
        self._send(reset(self._encoding))

    def _begun(self, reply: bytes) -> None:
        if read(self._encoding, reply)["type"] != "results":
            raise ValueError(f"No episode was begun: {reply!r}")
        for _ in range(ON_THEIR_WAY):
            self._send(self._frames[next(self._sent)])

    def _send(self, message: bytes) -> None:
        self._transport.send(self._kind, message)


async def play(target: Target, encoding: str, lanes: int) -> Sample:
    transport, listener = await ws_connect(
        lambda: Connection(encoding, lanes),
        f"ws://{target.address}/ws",
        extra_headers={"Sec-WebSocket-Protocol": f"openenv-lite.{encoding}"},
    )
    assert isinstance(listener, Connection)
    await asyncio.sleep(WARM_UP_SECONDS)
    sample = await watch([listener], target)
    transport.disconnect()
    return sample


if __name__ == "__main__":
    obey(lambda target: uvloop.run(play(target, sys.argv[1], int(sys.argv[2]))))
