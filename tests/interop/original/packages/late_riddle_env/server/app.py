import asyncio
from typing import Any

from openenv.core.env_server import create_app
from openenv.core.env_server.mcp_types import CallToolAction, CallToolObservation
from openenv.core.env_server.types import Observation
from riddle_env.server.riddle_environment import RiddleEnvironment


class LateRiddleEnvironment(RiddleEnvironment):
    async def reset_async(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        split: str = "train",
        index: int = 0,
        **kwargs: Any,
    ) -> Observation:
        await asyncio.sleep(0)
        return self.reset(seed, episode_id, split, index)

    async def step_async(
        self, action: Any, timeout_s: float | None = None, **kwargs: Any
    ) -> Observation:
        await asyncio.sleep(0)
        return self.step(action)


app = create_app(
    LateRiddleEnvironment, CallToolAction, CallToolObservation, env_name="late_riddle_env"
)
