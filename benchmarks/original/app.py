"""The same echo environment on OpenEnv's own server; runs under the original's interpreter."""

import time

from openenv.core.env_server import Action, Environment, Observation, State, create_app

__all__ = ["async_app", "sleeping_app", "sync_app"]

CAPACITY, STEP_SECONDS = 20_000, 0.01


class EchoAction(Action):
    message: str


class EchoObservation(Observation):
    echoed: str = ""
    length: int = 0


def echo(message: str) -> EchoObservation:
    return EchoObservation(echoed=message, length=len(message), reward=float(len(message)))


class Sync(Environment[EchoAction, EchoObservation, State]):
    SUPPORTS_CONCURRENT_SESSIONS = True

    def reset(self, seed: int | None = None, episode_id: str | None = None) -> EchoObservation:
        return EchoObservation()

    def step(self, action: EchoAction) -> EchoObservation:
        return echo(action.message)

    @property
    def state(self) -> State:
        return State()


class Sleeping(Sync):
    def step(self, action: EchoAction) -> EchoObservation:
        time.sleep(STEP_SECONDS)
        return echo(action.message)


class Async(Sync):
    async def reset_async(
        self, seed: int | None = None, episode_id: str | None = None
    ) -> EchoObservation:
        return self.reset(seed, episode_id)

    async def step_async(self, action: EchoAction) -> EchoObservation:
        return echo(action.message)


def served(environment: type[Environment]):
    return create_app(
        environment, EchoAction, EchoObservation, env_name="echo", max_concurrent_envs=CAPACITY
    )


sync_app = served(Sync)
sleeping_app = served(Sleeping)
async_app = served(Async)
