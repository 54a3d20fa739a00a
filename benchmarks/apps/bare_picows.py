"""The floor below ASGI: a picows server that answers as `benchmarks.apps.bare` does.

Argument: `--port`, as uvicorn takes it.
"""

import argparse
from typing import Any

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

from benchmarks.apps.bare import reply

__all__: list[str] = []


class Echo(WSListener):
    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            transport.send(WSMsgType.TEXT, reply(frame.get_payload_as_memoryview()))
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()


async def serve(port: int) -> None:
    server: Any = await ws_create_server(lambda _: Echo(), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    uvloop.run(serve(parser.parse_args().port))
