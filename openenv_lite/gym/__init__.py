"""Served environments as Gymnasium's: `GymEnv` is one of them, `GymVectorEnv` many."""

try:
    from openenv_lite.gym.env import GymEnv
    from openenv_lite.gym.spaces import space_of
    from openenv_lite.gym.vector_env import GymVectorEnv
except ModuleNotFoundError as error:
    if error.name not in {"gymnasium", "numpy", "httpx"}:
        raise
    raise ModuleNotFoundError(
        f"Gymnasium's interfaces need {error.name}: install openenv-lite[gym]", name=error.name
    ) from error

__all__ = ["GymEnv", "GymVectorEnv", "space_of"]
