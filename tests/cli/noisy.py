"""An environment with bad manners: it prints, reads stdin, and is in no hurry to end."""

import asyncio
import os
import subprocess
import sys
import time

from openenv_lite import Context, MCPEnvironment

__all__ = ["Noisy", "Stubborn"]

LONG_S = 60.0

print("imported")


class Noisy(MCPEnvironment):
    """Says on stderr, where all it prints goes, what becomes of it."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, failing: bool = False) -> None:
        print("built")
        if failing:
            raise ValueError("no paper")
        for tool in (self.shout, self.listen, self.wait, self.hold, self.stay, self.count):
            self.tool(tool)

    def shout(self) -> str:
        """Prints in every way there is."""
        print("by print")
        os.write(1, b"by write\n")
        subprocess.run([sys.executable, "-c", "print('by child')"], check=True)
        return "said"

    def listen(self) -> str:
        """Reads stdin, itself and in a child."""
        code = "import sys; sys.exit(len(sys.stdin.read()))"
        child = subprocess.run([sys.executable, "-c", code], check=False)
        return f"heard {len(sys.stdin.read()) + child.returncode}"

    async def wait(self, context: Context) -> str:
        """Waits on the event loop."""
        context.log("waiting")
        await asyncio.sleep(LONG_S)
        return "waited"

    def hold(self, context: Context) -> str:
        """Waits on the thread of its session, or on the event loop where there is none."""
        print("holding")
        context.log("waiting")
        time.sleep(LONG_S)
        return "held"

    async def stay(self, context: Context) -> str:
        """Waits on a thread that nobody can end."""
        context.log("waiting")
        await asyncio.to_thread(time.sleep, LONG_S)
        return "stayed"

    async def count(self, context: Context) -> str:
        """Takes a moment."""
        await asyncio.sleep(0.2)
        return "counted"

    def close(self) -> None:
        print("closed")


class Stubborn(Noisy):
    """Holds the event loop itself."""

    BLOCKING = False
