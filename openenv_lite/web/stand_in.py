"""What OpenEnv gives to a `gradio_builder`, with an episode for each visitor, not one for all."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from openenv_lite import codec
from openenv_lite.blueprint import Blueprint
from openenv_lite.protocol import decode_action
from openenv_lite.types import EnvironmentMetadata
from openenv_lite.web.rehearsal import Rehearsal
from openenv_lite.web.visits import ActionLog, EpisodeState, Visit, Visits, visitor

__all__ = ["Played", "SessionWanted", "WebManager"]


class SessionWanted(BaseException):
    """An event's function looks at the environment of a visitor who has none yet.

    It is no `Exception`, so that the author's code lets it pass: the function is called again when
    there is one.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.visitor = name


class Played(NamedTuple):
    """What a call gave, and the state after it, as plain values."""

    result: dict[str, Any]
    state: Any


class WebManager:
    """OpenEnv's `web_manager`.

    Args:
        visits: Whose episodes are played.
        blueprint: What they are played in.
        metadata: Of the environment.
        rehearsal: Where the environment comes from until `open_to_visitors` is called.

    Attributes:
        env: The environment of the visitor whose event is being served.
        tools: Those of the environment, as MCP declares them.
    """

    MAX_ACTION_LOGS = 1000

    def __init__(
        self,
        visits: Visits,
        blueprint: Blueprint,
        metadata: EnvironmentMetadata,
        rehearsal: Rehearsal,
    ) -> None:
        self._visits = visits
        self._rehearsal: Rehearsal | None = rehearsal
        self.action_cls = blueprint.action_type
        self.observation_cls = blueprint.observation_type
        self.metadata = metadata
        self.env: Any = _Present(self._instance)
        offered = rehearsal.session.catalogue() if blueprint.has_tools else {}
        self.tools = offered.get("tools", [])

    def open_to_visitors(self) -> None:
        """The page is built: from now on environments are the visitors'."""
        self._rehearsal = None

    async def reset_environment(self, reset_kwargs: dict[str, Any] | None = None) -> dict[str, Any]:
        """Begin an episode: `{"observation", "reward", "done"}`.

        Raises:
            OpenEnvError: What `Session.reset` raises, or that there is no session to be had.
        """
        return (await self.reset(reset_kwargs or {})).result

    async def reset(self, options: dict[str, Any]) -> Played:
        """As `reset_environment`, with the state."""
        visit = await self._visits.enter(visitor())
        result = codec.to_builtins(await visit.session.reset(options))
        visit.episode = EpisodeState(current_observation=result["observation"])
        await visit.look()
        return Played(result, visit.state)

    async def step_environment(self, action_data: dict[str, Any]) -> dict[str, Any]:
        """Carry out one action: `{"observation", "reward", "done"}`.

        Raises:
            OpenEnvError: What `Session.step` raises, or that the action does not fit.
        """
        return (await self.step(action_data)).result

    async def step(self, action_data: dict[str, Any]) -> Played:
        """As `step_environment`, with the state."""
        action = decode_action(action_data, self.action_cls)
        visit = await self._visits.enter(visitor())
        result = codec.to_builtins(await visit.session.step(action))
        await visit.look()
        self._note(visit.episode, codec.to_builtins(action), result)
        return Played(result, visit.state)

    def _note(self, episode: EpisodeState, action: Any, result: dict[str, Any]) -> None:
        told = (result["observation"], result["reward"], result["done"], episode.step_count)
        episode.current_observation, episode.is_reset = result["observation"], False
        episode.action_logs.append(ActionLog(datetime.now().isoformat(), action, *told))
        del episode.action_logs[: -self.MAX_ACTION_LOGS]

    def get_state(self) -> Any:
        """The visitor's state after the last call, as plain values."""
        return self._present().state

    @property
    def episode_state(self) -> EpisodeState:
        """The visitor's episode so far."""
        return self._present().episode

    def _present(self) -> Visit:
        name = visitor()
        visit = self._visits.present(name)
        if visit is None:
            raise SessionWanted(name)
        return visit

    def _instance(self) -> Any:
        rehearsal = self._rehearsal
        return (self._present() if rehearsal is None else rehearsal).session.instance

    async def _run_sync_in_thread_pool(
        self, func: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        """OpenEnv's own, which pages use all the same."""
        return await asyncio.to_thread(func, *args, **kwargs)


class _Present:
    """Stands for whatever environment is there when it is used, wherever it was taken from."""

    def __init__(self, find: Callable[[], Any]) -> None:
        object.__setattr__(self, "_find", find)

    @property  # type: ignore[misc]  # for `isinstance`
    def __class__(self) -> type:
        return type(self._find())

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_find")(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(object.__getattribute__(self, "_find")(), name, value)
