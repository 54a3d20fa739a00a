"""An environment served by several processes, whose tools tell where and how often it acted."""

import asyncio
import os
import time

from openenv_lite import Context, MCPEnvironment

__all__ = ["Counting"]


class Counting(MCPEnvironment):
    """Counts its calls."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        self.calls = 0
        for tool in (self.count, self.process, self.chat, self.rest):
            self.tool(tool)

    async def count(self) -> str:
        """How often it was called, this time included."""
        self.calls += 1
        return str(self.calls)

    async def process(self) -> str:
        """Where it lives."""
        return str(os.getpid())

    async def chat(self, context: Context) -> str:
        """Says three things before it answers."""
        for number in range(3):
            context.log(number, "warning")
            await asyncio.sleep(0.01)
        return "done"

    def rest(self, seconds: float) -> str:
        """Takes its time."""
        time.sleep(seconds)
        return "rested"
