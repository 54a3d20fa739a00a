"""Who looks at a page, and the session that each of them has."""

import asyncio
import contextlib
from typing import Any

import msgspec
from gradio.context import LocalContext

from openenv_lite import codec
from openenv_lite.errors import OpenEnvError
from openenv_lite.pool import Pool
from openenv_lite.session import Session
from openenv_lite.types import ServerMode

__all__ = ["ActionLog", "EpisodeState", "Visit", "Visits", "visitor"]


class ActionLog(msgspec.Struct):
    """One step, as OpenEnv's page remembers it."""

    timestamp: str
    action: Any
    observation: Any
    reward: Any
    done: bool
    step_count: int


class EpisodeState(msgspec.Struct):
    """An episode, as OpenEnv's page remembers it."""

    episode_id: str | None = None
    step_count: int = 0
    current_observation: Any = None
    action_logs: list[ActionLog] = []
    is_reset: bool = True

    def model_dump(self) -> Any:
        """As plain values."""
        return codec.to_builtins(self)


class Visit:
    """A visitor's session, its state after the last call, and its episode so far."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.state: Any = {}
        self.episode = EpisodeState()

    async def look(self) -> None:
        """Read the state; one that fails is no reason not to play."""
        try:
            self.state = await self.session.state()
        except OpenEnvError as error:
            self.state = {"error": error.message}
        self.episode.episode_id = self.state.get("episode_id")
        self.episode.step_count = self.state.get("step_count", 0)


class Visits:
    """For each tab of a browser a session of its own, from its first call on.

    It ends when the tab is closed, or with no call for as long as any session may be idle.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._openings: dict[str, asyncio.Task[Visit]] = {}

    def present(self, name: str) -> Visit | None:
        """The visit of this visitor, if it has a session."""
        opening = self._openings.get(name)
        if opening is None or not opening.done() or opening.cancelled() or opening.exception():
            return None
        visit = opening.result()
        return visit if self._pool.keep(visit.session) else None

    async def enter(self, name: str) -> Visit:
        """The visit of this visitor, for whom a session is opened if need be.

        Raises:
            CapacityError, FactoryError: There is none to be had.
        """
        opening = self._openings.get(name)
        if opening is None or (opening.done() and self.present(name) is None):
            self._openings = {
                each: kept
                for each, kept in self._openings.items()
                if not kept.done() or self.present(each)
            }
            opening = self._openings[name] = asyncio.create_task(self._open())
        return await asyncio.shield(opening)

    async def _open(self) -> Visit:
        visit = Visit(await self._pool.open(ServerMode.SIMULATION))
        await visit.look()
        return visit

    async def leave(self, name: str) -> None:
        """The visitor has gone: its session ends."""
        opening = self._openings.pop(name, None)
        if opening is not None:
            with contextlib.suppress(OpenEnvError):
                await self._pool.close((await opening).session)


def visitor() -> str:
    """Whose event is being served: what Gradio calls the tab.

    Raises:
        RuntimeError: None, as far as this thread knows.
    """
    name = getattr(LocalContext.request.get(None), "session_hash", None)
    if not isinstance(name, str) or not name:
        raise RuntimeError(
            "The page cannot tell whose episode this is: call its web_manager in the function of "
            "an event, which a browser or gradio_client has triggered"
        )
    return name
