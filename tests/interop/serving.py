"""Several ASGI apps in one process, each on a free port of its own.

Run by both interpreters, so it imports nothing but the standard library and uvicorn.
"""

import asyncio
import json
import socket
import sys
from collections.abc import Mapping
from typing import Any

import uvicorn

__all__ = ["serve"]


def serve(apps: Mapping[str, Any]) -> None:
    """Print `{"<name>": <port>}` as one line; end when standard input closes or one fails."""
    asyncio.run(_serve(apps))


async def _serve(apps: Mapping[str, Any]) -> None:
    sockets = {name: socket.create_server(("127.0.0.1", 0)) for name in apps}
    print(json.dumps({name: each.getsockname()[1] for name, each in sockets.items()}), flush=True)
    servers = [
        (uvicorn.Server(uvicorn.Config(app, log_level="critical", ws="websockets-sansio")), name)
        for name, app in apps.items()
    ]
    running = [asyncio.ensure_future(each.serve(sockets=[sockets[name]])) for each, name in servers]
    orphaned = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
    await asyncio.wait([orphaned, *running], return_when=asyncio.FIRST_COMPLETED)
    for server, _ in servers:
        server.should_exit = True
    await asyncio.gather(*running)
