"""The same echo environment on OpenEnv's own server; runs under the original's interpreter."""

from openenv.core.env_server import Action, Environment, Observation, State, create_app

__all__ = ["async_app", "sync_app"]


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


class Async(Sync):
    async def reset_async(
        self, seed: int | None = None, episode_id: str | None = None
    ) -> EchoObservation:
        return self.reset(seed, episode_id)

    async def step_async(self, action: EchoAction) -> EchoObservation:
        return echo(action.message)


def served(environment: type[Environment]):
    return create_app(
        environment, EchoAction, EchoObservation, env_name="echo", max_concurrent_envs=64
    )


sync_app = served(Sync)
async_app = served(Async)
