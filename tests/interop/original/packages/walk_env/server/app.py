"""A walk, in a folder that is no package: async overrides, a rubric that waits, one thread."""

import asyncio
import random
import threading
from typing import Any, ClassVar

from fastapi import FastAPI
from openenv.core.env_server import Action, Environment, HTTPEnvServer, Observation, State
from openenv.core.rubrics import Rubric


class Go(Action):
    by: float


class Place(Observation):
    at: float
    wind: float = 0.0


class Patience(Rubric):
    async def forward(self, action: Go, observation: Place) -> float:
        await asyncio.sleep(0)
        return -abs(observation.at)


class Walk(Environment):
    SUPPORTS_CONCURRENT_SESSIONS = True
    REQUIRES_SINGLE_THREAD_EXECUTOR = True
    threads: ClassVar[set[int]] = set()

    def __init__(self) -> None:
        self.threads.add(threading.get_ident())
        if len(self.threads) > 1:
            raise RuntimeError("built on another thread than the one before")
        super().__init__(rubric=Patience())
        self._state = State()

    def reset(self, seed: int | None = None, **kwargs: Any) -> Place:
        raise NotImplementedError("use reset_async")

    def step(self, action: Go, timeout_s: float | None = None, **kwargs: Any) -> Place:
        raise NotImplementedError("use step_async")

    async def reset_async(
        self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any
    ) -> Place:
        await self._reset_rubric_async()
        self._wind = random.Random(seed)
        self._state = State(episode_id=episode_id)
        self._at = 0.0
        return Place(at=self._at)

    async def step_async(self, action: Go, timeout_s: float | None = None, **kwargs: Any) -> Place:
        self._state.step_count += 1
        wind = self._wind.uniform(-1, 1)
        self._at += action.by + wind
        seen = Place(at=self._at, wind=wind, done=abs(self._at) > 3)
        seen.reward = await self._apply_rubric_async(action, seen)
        return seen

    @property
    def state(self) -> State:
        return self._state


app = FastAPI()
HTTPEnvServer(Walk, Go, Place, max_concurrent_envs=4).register_routes(app)
