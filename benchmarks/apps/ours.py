"""The echo environment on our server, in the three ways a step can be run, and a slow one."""

import time

from openenv_lite import Action, Environment, Observation, State, create_app

__all__ = [
    "EchoAction",
    "EchoObservation",
    "Inline",
    "Sleeping",
    "async_app",
    "inline_app",
    "threaded_app",
]

CAPACITY, STEP_SECONDS = 20_000, 0.01


class EchoAction(Action):
    message: str


class EchoObservation(Observation):
    echoed: str = ""
    length: int = 0


def echo(message: str) -> EchoObservation:
    return EchoObservation(echoed=message, length=len(message), reward=float(len(message)))


class Inline(Environment[EchoAction, EchoObservation, State]):
    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def reset(self, seed: int | None = None, episode_id: str | None = None) -> EchoObservation:
        return EchoObservation()

    def step(self, action: EchoAction) -> EchoObservation:
        return echo(action.message)


class Threaded(Inline):
    BLOCKING = True


class Sleeping(Threaded):
    def step(self, action: EchoAction) -> EchoObservation:
        time.sleep(STEP_SECONDS)
        return echo(action.message)


class Async(Environment[EchoAction, EchoObservation, State]):
    SUPPORTS_CONCURRENT_SESSIONS = True

    async def reset(
        self, seed: int | None = None, episode_id: str | None = None
    ) -> EchoObservation:
        return EchoObservation()

    async def step(self, action: EchoAction) -> EchoObservation:
        return echo(action.message)


inline_app = create_app(Inline, max_concurrent_envs=CAPACITY)
threaded_app = create_app(Threaded, max_concurrent_envs=CAPACITY)
async_app = create_app(Async, max_concurrent_envs=CAPACITY)
