"""The few environments that tests share. All count to a limit; they differ in where they run."""

import asyncio
import threading
from typing import Any, ClassVar

from openenv_lite import Action, Environment, Image, MCPEnvironment, Observation, State
from openenv_lite.errors import ToolFailedError

__all__ = ["Add", "Awaiting", "Count", "Inline", "Secretive", "Threaded", "Toolbox"]

LIMIT = 3


class Add(Action):
    """How much to add."""

    amount: int


class Count(Observation):
    """The sum so far."""

    total: int = 0


class Inline(Environment[Add, Count, State]):
    """On the event loop; done at `LIMIT`. `alive` holds the instances built and not closed."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING: ClassVar[bool] = False
    alive: ClassVar[set["Inline"]] = set()

    def __init__(self) -> None:
        self.total = 0
        self.threads = {threading.get_ident()}
        self.alive.add(self)

    def reset(self, seed: int | None = None, start: int = 0) -> Any:
        self.threads.add(threading.get_ident())
        self.total = start
        return Count(total=start, metadata={"draw": self.rng.random()})

    def step(self, action: Add, bonus: int = 0) -> Any:
        self.threads.add(threading.get_ident())
        self.total += action.amount + bonus
        return Count(total=self.total, reward=action.amount, done=self.total >= LIMIT)

    def close(self) -> None:
        self.threads.add(threading.get_ident())
        self.alive.discard(self)


class Threaded(Inline):
    """On a thread of its own. A step of a negative amount waits for `gate`."""

    BLOCKING = True
    alive: ClassVar[set[Inline]] = set()
    gate: ClassVar[threading.Event] = threading.Event()
    entered: ClassVar[threading.Event] = threading.Event()

    def step(self, action: Add, bonus: int = 0) -> Any:
        if action.amount < 0:
            self.entered.set()
            assert self.gate.wait(20)
        return super().step(action, bonus)


class Awaiting(Environment[Add, Count, State]):
    """Async. A step of a negative amount never ends; `cancelled` counts those given up."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    alive: ClassVar[set["Awaiting"]] = set()
    cancelled: ClassVar[list[int]] = []

    def __init__(self) -> None:
        self.total = 0
        self.alive.add(self)

    async def reset(self, seed: int | None = None, start: int = 0) -> Any:
        await asyncio.sleep(0)
        self.total = start
        return Count(total=start)

    async def step(self, action: Add) -> Any:
        if action.amount < 0:
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled.append(action.amount)
        self.total += action.amount
        return Count(total=self.total, done=self.total >= LIMIT)

    async def close(self) -> None:
        self.alive.discard(self)


class Toolbox(MCPEnvironment):
    """Tools of every kind: sync, async, of one mode, failing, and with a picture."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    alive: ClassVar[set["Toolbox"]] = set()

    def __init__(self) -> None:
        self.alive.add(self)

        @self.tool
        def add(a: int, b: int = 1) -> int:
            """Add two numbers."""
            return a + b

        @self.tool
        async def shout(text: str) -> str:
            """Make it loud."""
            return text.upper()

        @self.tool(mode="simulation")
        def peek() -> str:
            """Look behind the curtain."""
            return "simulation"

        @self.tool(mode="production")
        def serve() -> str:
            """Serve a customer."""
            return "production"

        @self.tool
        def fail() -> str:
            """Fail with a secret in the text."""
            raise ValueError("secret-1234")

        @self.tool
        def explain() -> str:
            """Fail with a text for the model."""
            raise ToolFailedError("try another day")

        @self.tool
        def draw() -> Any:
            """Show a picture."""
            return Image(data=b"png", format="png")

    def close(self) -> None:
        self.alive.discard(self)


class Secretive(Inline):
    """Every member raises, with a secret in the text."""

    alive: ClassVar[set[Inline]] = set()

    def reset(self, seed: int | None = None, start: int = 0, fail: bool = True) -> Any:
        if fail:
            raise ValueError("secret-1234")
        return Count()

    def step(self, action: Add, bonus: int = 0) -> Any:
        raise ValueError("secret-1234")

    @property
    def state(self) -> Any:
        raise ValueError("secret-1234")

    def get_metadata(self) -> Any:
        raise ValueError("secret-1234")
