"""`OutsideServer`: what an author mounts."""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any, Unpack

from mcp import MCPError
from mcp_types import CallToolResult

from openenv_lite.errors import ConfigurationError, ConnectionFailedError, ToolFailedError
from openenv_lite.outside.address import Address, way_of
from openenv_lite.outside.attempts import WINDOW_S, Attempts
from openenv_lite.outside.line import Line
from openenv_lite.outside.translation import tool_of
from openenv_lite.tools import Tool

__all__ = ["OutsideServer"]

log = logging.getLogger(__name__)


class OutsideServer:
    """An MCP server outside this process, whose tools an environment offers beside its own.

    `self.mount("files", OutsideServer(command=["npx", "-y", "some-server"]))` in the constructor
    of an `MCPEnvironment`; a tool `read` is then called `files_read`. Each environment needs an
    `OutsideServer` of its own, connected for as long as the environment lives.

    Tools are listed once, when the environment is opened: a later `list_changed` is ignored. The
    server is offered no sampling, elicitation or roots, and its progress and log are not passed on.
    A server that dies, or forgets the session, fails the call that meets it; the next call starts
    or connects it anew, without whatever state it had.

    Args:
        timeout_s: Seconds that a start with the listing of tools, and each call, may take.
        restarts: How often it may be started or connected anew within a minute.
        **server: `command`, the program and its arguments, with `env` (added to HOME, LOGNAME,
            PATH, SHELL, TERM and USER; nothing else is inherited) and `cwd`; or `url`, of
            Streamable HTTP, with `headers`. Secrets belong in `env` or `headers`, which no error
            and no `repr` shows.

    Raises:
        ConfigurationError: The arguments cannot be right.
    """

    def __init__(
        self, *, timeout_s: float = 30.0, restarts: int = 3, **server: Unpack[Address]
    ) -> None:
        if not timeout_s > 0 or restarts < 0:
            raise ConfigurationError("OutsideServer: timeout_s must be above 0, restarts not below")
        self._way = way_of(timeout_s, **server)
        self._timeout_s = timeout_s
        self._restarts = restarts
        self._attempts = Attempts(restarts)
        self._line: Line | None = None

    def __repr__(self) -> str:
        return f"OutsideServer({self._way.label!r})"

    async def connect(self) -> list[Tool]:
        """Start or reach the server and list its tools, under its own names.

        Raises:
            ConnectionFailedError: Not reached, or no answer in time; nothing is left running.
            ConfigurationError: It is connected already, for another environment.
        """
        if self._line is not None:
            raise ConfigurationError(f"{self!r} is mounted twice; give each environment its own")
        line = self._line = Line(self._way, self._timeout_s)
        try:
            await line.started()
            return [tool_of(declared, self._call) for declared in line.tools]
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Take leave of the server, and stop it if we started it. Calls then fail."""
        line, self._line = self._line, None
        if line is not None:
            await line.stop()

    async def _call(self, name: str, arguments: Mapping[str, Any]) -> CallToolResult:
        line = await self._connected()
        try:
            async with asyncio.timeout(self._timeout_s) as limit:
                return await line.call(name, arguments)
        except Exception as error:
            if limit.expired():
                raise self._silent(line, name) from None
            raise _failed(line, name, error) from error

    async def _connected(self) -> Line:
        """The line to call on, a new one where the last was lost."""
        while (line := self._line) is not None and line.is_lost:
            await line.ended()
            if self._line is line:  # else another call was quicker
                self._line = self._renewed(line)
        if line is None:
            raise ToolFailedError(f"{self!r} is closed; open the environment anew")
        try:
            await line.started()
        except ConnectionFailedError as error:
            log.warning("%s", error)
            raise ToolFailedError(
                f"Outside server {line.name!r} was lost and could not be started again. The "
                "server's log tells why; calling again tries again."
            ) from error
        return line

    def _renewed(self, lost: Line) -> Line:
        if not self._attempts.take(time.monotonic()):
            raise ToolFailedError(
                f"Outside server {lost.name!r} keeps failing: {self._restarts} new starts within "
                f"{WINDOW_S:g} s are allowed. Do without its tools, or call again after a minute."
            )
        log.warning("Outside server %r was lost (%s): starting anew", lost.name, lost.failure)
        return Line(self._way, self._timeout_s)

    def _silent(self, line: Line, name: str) -> ToolFailedError:
        return ToolFailedError(
            f"Outside server {line.name!r} did not answer {name!r} within {self._timeout_s:g} s",
            error_type="timeout",
        )


def _failed(line: Line, name: str, error: Exception) -> ToolFailedError:
    """What a call met, in words that a model may read: at most what the server itself said."""
    if line.is_lost:
        return ToolFailedError(
            f"Outside server {line.name!r} was lost during {name!r}, so whether it ran is not "
            "known. The next call starts or connects it anew."
        )
    if isinstance(error, MCPError):
        return ToolFailedError(f"Outside server {line.name!r} refused {name!r}: {error.message}")
    log.warning("Outside server %r answered %r badly", line.name, name, exc_info=error)
    return ToolFailedError(
        f"Outside server {line.name!r} answered {name!r} with what MCP or the tool's own schema "
        "does not allow; the server's log tells more"
    )
