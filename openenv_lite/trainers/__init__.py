"""Served environments in the shapes that trainers call; each trainer has a module of its own."""

try:
    from openenv_lite.trainers.episodes import Episodes
    from openenv_lite.trainers.outcome import Outcome
    from openenv_lite.trainers.toolbox import Toolbox
except ModuleNotFoundError as error:
    if error.name not in {"httpx", "picows", "websockets"}:
        raise
    raise ModuleNotFoundError(
        f"Trainers need {error.name}: install openenv-lite[client]", name=error.name
    ) from error

__all__ = ["Episodes", "Outcome", "Toolbox"]
