"""Sessions that end with the trajectory they belong to, of whose end nobody is told."""

import asyncio
import contextlib
import weakref
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from openenv_lite.errors import OpenEnvError, SessionClosedError
from openenv_lite.trainers.async_episodes import AsyncEpisodes
from openenv_lite.trainers.outcome import Outcome, over

__all__ = ["Trajectories", "Trajectory"]


class Trajectory:
    """One episode, and the session it is played in, which ends with the episode or before.

    Args:
        episodes: Of a session of its own.
        slots: One is held from `begin` to the end.
        idle_s: Seconds without a call after which the session ends.
    """

    def __init__(self, episodes: AsyncEpisodes, slots: asyncio.Semaphore, idle_s: float) -> None:
        self.reward = 0.0
        """The sum of the rewards so far."""
        self.done = False
        """Whether the episode is over."""
        self.failure: OpenEnvError | None = None
        """What broke it off, so that its reward is none of the model's."""
        self._episodes = episodes
        self._slots = slots
        self._idle_s = idle_s
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()
        self._alarm: asyncio.TimerHandle | None = None
        self._phase = "fresh"
        self._ending: asyncio.Task[None] | None = None

    async def begin(self, options: Mapping[str, Any]) -> Outcome:
        """Begin the episode.

        Args:
            options: As `reset` takes them.

        Raises:
            OpenEnvError: There is none.
        """
        async with self._turn:
            return await self._watched(self._begin(options))

    async def call(self, name: str, arguments: Any, options: Mapping[str, Any] = {}) -> Outcome:
        """Call a tool; calls at the same time are carried out in their order.

        Args:
            name: Of the tool.
            arguments: Those that the model wrote.
            options: To begin with, unless the episode has begun.

        Raises:
            OpenEnvError: Whatever is not the model's to mend.
        """
        async with self._turn:
            if self._phase == "fresh":
                await self._watched(self._begin(options))
            if self.done:
                return over()
            return await self._watched(self._episodes.call(name, arguments))

    def end_soon(self) -> None:
        """End the session in the background; from any thread, also while the loop is closed."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._end_later)

    async def end(self) -> None:
        """End the session. A later call is refused."""
        self._end_later()
        if self._ending is not None:
            await self._ending

    async def _begin(self, options: Mapping[str, Any]) -> Outcome:
        await self._slots.acquire()
        self._phase = "begun"
        return await self._episodes.reset(**options)

    async def _watched(self, call: Coroutine[Any, Any, Outcome]) -> Outcome:
        """Keep what a call led to, and wait for the next one no longer than `idle_s`."""
        if self._phase == "ended":
            call.close()
            raise SessionClosedError(
                f"The session has ended: nothing was called for {self._idle_s} s, or it was closed"
            )
        if self._alarm is not None:
            self._alarm.cancel()
        try:
            outcome = await call
        except OpenEnvError as error:
            self.failure = error
            raise
        finally:
            if self._phase == "begun":
                self._alarm = self._loop.call_later(self._idle_s, self._end_later)
        self.reward += float(outcome.reward or 0)
        self.done = outcome.done
        if outcome.done:
            self._end_later()  # somebody may wait for the slot
        return outcome

    def _end_later(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        if self._phase == "begun":
            self._ending = self._loop.create_task(self._closed())
        self._phase = "ended"

    async def _closed(self) -> None:
        try:
            await self._episodes.close()
        except OpenEnvError:
            pass  # the server has gone, and the session with it
        finally:
            self._slots.release()


class Trajectories:
    """The trajectories played with one server, each known by the object it belongs to.

    Args:
        new_episodes: Makes a session.
        max_sessions: How many may be open at once; who comes later waits.
        idle_s: See `Trajectory`.
    """

    def __init__(
        self, new_episodes: Callable[[], AsyncEpisodes], max_sessions: int, idle_s: float
    ) -> None:
        self._new_episodes = new_episodes
        self._max_sessions = max_sessions
        self._idle_s = idle_s
        self._known: weakref.WeakKeyDictionary[Any, Trajectory] = weakref.WeakKeyDictionary()
        self._slots: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]
        self._slots = weakref.WeakKeyDictionary()

    def new(self) -> Trajectory:
        """A trajectory that its caller ends."""
        loop = asyncio.get_running_loop()
        if loop not in self._slots:
            self._slots[loop] = asyncio.Semaphore(self._max_sessions)
        return Trajectory(self._new_episodes(), self._slots[loop], self._idle_s)

    def of(self, owner: object) -> Trajectory:
        """That of an object, which ends when the object is collected."""
        if owner not in self._known:
            self._known[owner] = trajectory = self.new()
            weakref.finalize(owner, trajectory.end_soon).atexit = False
        return self._known[owner]
