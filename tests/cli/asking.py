"""An environment served by several processes, whose tool asks before it answers."""

import os

from msgspec import Struct

from openenv_lite import Context, Elicit, MCPEnvironment

__all__ = ["Asking"]


class Confirmation(Struct):
    """Whether to go on."""

    ok: bool


class Asking(MCPEnvironment):
    """Names the process that asks, and the one that has the answer."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        self.tool(self.ask)

    async def ask(self, context: Context) -> str:
        """Asks before it answers."""
        await context.ask(sure=Elicit(f"{os.getpid()}", Confirmation))
        return f"{os.getpid()}"
