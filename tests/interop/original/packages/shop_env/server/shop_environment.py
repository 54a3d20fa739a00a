import asyncio
from typing import Any

from fastmcp import Context, FastMCP
from fastmcp.utilities.types import Image
from openenv.core.env_server.mcp_environment import MCPEnvironment
from openenv.core.env_server.mcp_types import CallToolAction, CallToolObservation
from openenv.core.env_server.types import Action, Observation, State


class ShopEnvironment(MCPEnvironment):
    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, budget: int = 10) -> None:
        mcp = self._mcp = FastMCP("shop")
        self._cart: list[str] = []
        self._budget = budget

        @mcp.tool
        def add(product: str, price: int = 1) -> int:
            """Put a product into the cart, and tell what is left to spend."""
            if price > self._budget:
                raise ValueError("too expensive")
            self._cart.append(product)
            self._budget -= price
            return self._budget

        @mcp.tool
        async def look(at: list[str] | None = None) -> dict[str, Any]:
            """What is in the cart."""
            await asyncio.sleep(0)
            return {"cart": [each for each in self._cart if at is None or each in at]}

        @mcp.tool
        def picture() -> Image:
            """A picture of the shop."""
            return Image(data=b"not really", format="png")

        @mcp.tool
        async def whisper(text: str, context: Context) -> str:
            """Say it to the log too."""
            await context.debug(text)
            return text

        super().__init__(mcp)
        self._state = State()

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any
    ) -> Observation:
        self._cart.clear()
        if kwargs.get("guest") == "king":
            self._mcp.tool(self._haggle, name="haggle")
        self._state = State(episode_id=episode_id)
        return Observation(metadata={"seed": seed})

    def _haggle(self) -> int:
        """Ask for more to spend; once."""
        self._mcp.local_provider.remove_tool("haggle")
        self._budget += 5
        return self._budget

    def step(self, action: Action, timeout_s: float | None = None, **kwargs: Any) -> Observation:
        return self._counted(super().step(action, timeout_s, **kwargs))

    async def step_async(
        self, action: Action, timeout_s: float | None = None, **kwargs: Any
    ) -> Observation:
        return self._counted(await super().step_async(action, timeout_s, **kwargs))

    def _counted(self, seen: Observation) -> Observation:
        if isinstance(seen, CallToolObservation):
            self._state.step_count += 1
            seen.reward = float(len(self._cart))
            seen.done = len(self._cart) == 3
        return seen

    def _step_impl(
        self, action: Action, timeout_s: float | None = None, **kwargs: Any
    ) -> Observation:
        return Observation(metadata={"error": f"not a tool: {type(action).__name__}"})

    @property
    def state(self) -> State:
        return self._state


__all__ = ["CallToolAction", "CallToolObservation", "ShopEnvironment"]
