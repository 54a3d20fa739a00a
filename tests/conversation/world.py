"""An environment with one tool for each thing that a conversation may have to carry."""

import asyncio
import threading
from typing import Any, ClassVar

from msgspec import Struct

from openenv_lite import CallToolObservation, Context, Elicit, MCPEnvironment, Roots
from openenv_lite.errors import ToolFailedError
from openenv_lite.tools import Tool

__all__ = ["HIDDEN", "Game", "Inline", "Name", "World"]

HIDDEN = ("7319.25", "sekrit-4711", "918273", "reward", "metadata", '"done"', "truncated")
"""What no model may read: the rewards, the metadata and the seeds of these environments."""


TOOLS = ["add", "talk", "chat", "wait", "block", "greet"]
TOOLS += ["meet", "explore", "part", "learn", "touch", "fail"]


class Name(Struct):
    """Who somebody is."""

    name: str


class World(MCPEnvironment):
    """Counts what was added. `alive` holds the instances there are; `built` counts all.

    `gate` holds up the tools that wait, on the loop (`wait`) or on a thread (`block`), and
    `cancelled` the names of those that were stopped.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True
    alive: ClassVar[list["World"]] = []
    built: ClassVar[int] = 0
    cancelled: ClassVar[list[str]] = []
    entered: ClassVar[list[str]] = []
    gate: ClassVar[asyncio.Event]
    barrier: ClassVar[threading.Event] = threading.Event()

    @classmethod
    def begin_anew(cls) -> None:
        """Forget earlier tests; call it on the event loop."""
        World.alive, World.cancelled, World.entered, World.built = [], [], [], 0
        World.gate = asyncio.Event()
        World.barrier.clear()

    def __init__(self) -> None:
        World.built += 1
        World.alive.append(self)
        self.total = 0
        for name in TOOLS:
            self.tool(getattr(self, name))
        self.tool(mode="simulation")(peek)
        self.tool(mode="production")(serve)
        self.resource("note://total", mime_type="text/plain")(self.note)
        self.prompt(hello)

    def add(self, amount: int) -> int:
        """Add to the total, and tell it."""
        self.total += amount
        return self.total

    def talk(self, context: Context, times: int = 3) -> str:
        """Say something before the answer, without ever waiting."""
        for number in range(times):
            context.log(f"line {number}", level="warning" if number % 2 else "info")
            context.progress(number, times)
        return "said"

    async def chat(self, context: Context, times: int = 3) -> str:
        """Say something before the answer, and wait in between."""
        for number in range(times):
            context.log(f"line {number}")
            context.progress(number, times)
            await asyncio.sleep(0)
        return "said"

    async def wait(self, name: str = "wait", context: Context | None = None) -> str:
        """Wait for the gate; `aloud` says so first."""
        World.entered.append(name)
        if context is not None and name == "aloud":
            context.log("waiting", level="error")
        try:
            await World.gate.wait()
        except asyncio.CancelledError:
            World.cancelled.append(name)
            raise
        return "waited"

    def block(self, context: Context) -> str:
        """Hold the thread."""
        World.entered.append("block")
        World.barrier.wait(10)
        context.log("late", level="error")
        return "blocked"

    async def greet(self, context: Context) -> str:
        """Ask for a name, then count."""
        answer = await context.elicit("Who are you?", Name)
        self.total += 1
        if answer.action != "accept":
            return f"They {answer.action}"
        return f"Hello, {answer.content.name}"

    async def meet(self, context: Context) -> str:
        """Ask for two names one after the other."""
        first = (await context.ask(first=Elicit("The first?", Name)))["first"]
        second = (await context.ask(second=Elicit("The second?", Name)))["second"]
        self.total += 1
        return f"{first.content.name} and {second.content.name}"

    async def explore(self, context: Context) -> str:
        """Ask two things at once."""
        answers = await context.ask(name=Elicit("Who?", Name), roots=Roots())
        return f"{answers['name'].content.name} in {len(answers['roots'])}"

    async def part(self, context: Context, aloud: bool = True) -> str:
        """Send the client away, and wait for the gate."""
        if aloud:
            context.log("before", level="error")
        context.disconnect()
        await World.gate.wait()
        context.log("after", level="error")
        return "parted"

    def learn(self, name: str) -> str:
        """Add a tool of this name."""
        self.tools.add(Tool(lambda: "learnt", name=name))
        return "learnt"

    def touch(self) -> str:
        """Change the note."""
        self.resources.changed("note://total")
        return "touched"

    def fail(self) -> str:
        """Fail with a text for the model."""
        raise ToolFailedError("try another day")

    def note(self) -> str:
        """The total."""
        return str(self.total)

    def close(self) -> None:
        World.alive.remove(self)


class Inline(World):
    """The same on the event loop."""

    BLOCKING = False


class Game(World):
    """As a trainer has it: rewards, an end at ten, and a step of the author's own."""

    def __init__(self) -> None:
        super().__init__()
        self.acted: list[str] = []
        self.seed: int | None = None

    def reset(self, seed: int | None = None) -> Any:
        self.seed = seed
        self.total = 0
        return CallToolObservation(tool_name="", metadata={"hint": "sekrit-4711"})

    def step(self, action: Any, **options: Any) -> Any:
        self.acted.append(action.tool_name)
        seen = super().step(action, **options)
        seen.reward, seen.done = 7319.25, self.total >= 10
        seen.metadata = {"hint": "sekrit-4711", "seed": 918273, "of": self.seed}
        return seen


def peek() -> str:
    """Look behind the curtain."""
    return "simulation"


def serve() -> str:
    """Serve a customer."""
    return "production"


def hello(name: str) -> str:
    """Greet somebody."""
    return f"Say hello to {name}"
