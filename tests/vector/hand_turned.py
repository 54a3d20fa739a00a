"""An async environment whose steps end when the test says so."""

import asyncio
from typing import Any, ClassVar

from openenv_lite import Environment, State
from tests.environments import Add, Count

__all__ = ["HandTurned"]


class HandTurned(Environment[Add, Count, State]):
    """`reset(name=...)` names the instance; `let_go[name]` ends its step under way.

    Each step returns the sum of all amounts so far, and counts as begun in `begun`.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True
    let_go: ClassVar[dict[int, asyncio.Event]] = {}
    begun: ClassVar[dict[int, int]] = {}
    name = -1
    total = 0

    async def reset(self, name: int | None = None) -> Any:
        if name is not None:
            self.name = name
            self.let_go[name] = asyncio.Event()
            self.begun[name] = 0
        self.total = 0
        return Count()

    async def step(self, action: Add) -> Any:
        self.begun[self.name] += 1
        gate = self.let_go[self.name]
        await gate.wait()
        gate.clear()
        self.total += action.amount
        return Count(total=self.total, reward=action.amount)
