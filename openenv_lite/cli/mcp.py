"""`openenv-lite mcp`: one environment for one client, over stdin and stdout.

The client is whoever started this process, most often an application on somebody's desk. The
environment lives as long as the process, which ends with the client's end of the pipe.
"""

import asyncio
import contextlib
import logging
import os
import queue
import signal
import threading
import time
import uuid
from collections.abc import Awaitable
from typing import Any

import click

from openenv_lite.cli.arguments import env_option, log_at, log_level_option
from openenv_lite.cli.pipes import Pipes, Taken, take_over
from openenv_lite.conversation.dialect import Caller
from openenv_lite.conversation.link import Link
from openenv_lite.conversation.refusals import refusal
from openenv_lite.conversation.stream import Answer
from openenv_lite.conversation.tenant import Guest
from openenv_lite.errors import ConfigurationError, MessageTooLargeError
from openenv_lite.loading import Plan, server_of
from openenv_lite.server import HTTPEnvServer
from openenv_lite.types import ServerMode

__all__ = ["mcp"]

log = logging.getLogger(__name__)

FINISH_S = 1.0
"""How long calls may go on after the client has said its last."""

UNSENT_S = 0.5
"""How long a client may take to read what is still to be sent."""

CLOSE_S = 1.5
"""How long an environment may take to close."""

LAST_S = 0.25
"""How long the process may take to end after that; a thread of a tool's own could hold it."""


@click.command()
@click.argument("target")
@env_option
@click.option(
    "--mode",
    type=click.Choice([mode.value for mode in ServerMode]),
    default=ServerMode.PRODUCTION.value,
    show_default=True,
    help="Which of its tools it offers.",
)
@log_level_option
def mcp(target: str, arguments: dict[str, Any], mode: str, log_level: str) -> None:
    """Serve TARGET to one MCP client over stdin and stdout, as desktop applications want it.

    TARGET is what `serve` takes. What the environment prints goes to stderr, as the log does.
    """
    taken = take_over()
    log_at(log_level)
    plan = Plan(target=target, arguments=arguments, mode=ServerMode(mode))
    server = server_of(plan.app())
    if server is None:
        raise ConfigurationError(f"create_app did not make {target}: name its environment class")
    asyncio.run(_attend(server, plan.mode, taken))


async def _attend(server: HTTPEnvServer, mode: ServerMode, taken: Taken) -> None:
    await _Attendance(server, mode, Pipes(taken)).run()


class _Attendance:
    """One client, from its first line to the end of the process.

    Args:
        server: Of the environment.
        mode: In which it is served.
        pipes: To the client.
    """

    def __init__(self, server: HTTPEnvServer, mode: ServerMode, pipes: Pipes) -> None:
        self._server = server
        self._mode = mode
        self._service = server.service(mode)
        self._pipes = pipes
        self._link: Link | None = None
        self._is_over = asyncio.Event()
        self._ending: queue.SimpleQueue[None] = queue.SimpleQueue()  # safe in a signal's function
        self._is_closed = threading.Event()

    async def run(self) -> None:
        """Serve until the client, or a signal, ends it.

        Raises:
            FactoryError: There is no environment.
            ToolsUnsupportedError: It is no `MCPEnvironment`.
        """
        threading.Thread(target=self._force, daemon=True).start()
        self._heed_signals()
        conversing = asyncio.create_task(self._converse())
        told = asyncio.create_task(self._is_over.wait())
        await asyncio.wait({conversing, told}, return_when=asyncio.FIRST_COMPLETED)
        self._ending.put(None)
        told.cancel()
        conversing.cancel()
        await self._close()
        if conversing.done() and not conversing.cancelled():
            conversing.result()

    def _heed_signals(self) -> None:
        loop = asyncio.get_running_loop()

        def end(*_: Any) -> None:
            self._ending.put(None)  # even where a tool holds the loop
            with contextlib.suppress(RuntimeError):  # the loop has ended already
                loop.call_soon_threadsafe(self._is_over.set)

        signal.signal(signal.SIGINT, end)
        signal.signal(signal.SIGTERM, end)

    def _force(self) -> None:
        self._ending.get()
        is_closed = self._is_closed.wait(UNSENT_S + CLOSE_S)
        time.sleep(LAST_S)
        os._exit(0 if is_closed else 1)

    async def _converse(self) -> None:
        pool = self._server.pool
        session = await pool.open_held(self._mode, str(uuid.uuid4()), self)
        session.list_tools()  # raises where it has none to offer
        tenant = Guest(pool, self._mode, session.id, None)
        self._link = Link(self._service, tenant, Caller(session), self._write)
        async for line in self._pipes.lines(self._server.settings.max_message_bytes):
            await self._take(self._link, line)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FINISH_S):
                await self._service.answering.idle()

    async def _take(self, link: Link, line: bytes | None) -> None:
        if line is None:
            most = self._server.settings.max_message_bytes
            error = MessageTooLargeError(f"The line is longer than {most} bytes")
            await self._reply(refusal(None, error))
        elif (pending := link.receive(line)) is not None:
            await self._reply(await pending)

    async def _reply(self, answer: Answer) -> None:
        if answer.body is not None:
            with contextlib.suppress(OSError):
                await self._write(answer.body)

    async def _write(self, body: bytes) -> None:
        try:
            await self._pipes.write(body)
        except OSError:  # the client reads no more
            self._is_over.set()
            raise

    async def _close(self) -> None:
        if self._link is not None:
            await _within(UNSENT_S, self._link.close(), "What was under way did not end in time")
        await _within(CLOSE_S, self._server.aclose(), "The environment did not close in time")
        self._is_closed.set()


async def _within(seconds: float, closing: Awaitable[None], complaint: str) -> None:
    try:
        async with asyncio.timeout(seconds):
            await closing
    except TimeoutError:
        log.error("%s: abandoned", complaint)
