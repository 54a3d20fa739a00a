"""All sessions of one server: how many may exist, who holds which, and when one ends.

A slot is taken before the author's constructor runs and given back after the author's `close` has
returned, so the count is of environments that exist, wherever they were made.
"""

import asyncio
import collections
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from openenv_lite.blueprint import Blueprint
from openenv_lite.clock import Clock, SystemClock
from openenv_lite.errors import (
    CapacityError,
    SessionAttachedError,
    SessionError,
    UnknownSessionError,
)
from openenv_lite.session import Session
from openenv_lite.types import ServerMode

__all__ = ["Pool", "PoolSettings", "PoolStatistics", "default_capacity"]

log = logging.getLogger(__name__)


class PoolSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of a pool; times in seconds."""

    max_sessions: int = 1
    idle_timeout_s: float = 900.0
    """A session that no WebSocket holds is closed after this long without a call."""
    resume_grace_s: float = 300.0
    """A session whose WebSocket broke waits this long for its client to come back."""
    queue_timeout_s: float = 0.0
    """How long an opening waits for a slot before it is refused."""
    close_timeout_s: float = 10.0
    """How long a stopping server waits for environments to close."""


class PoolStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """Counts since the pool was made, and what is there now."""

    active: int
    waiting: int
    max_sessions: int
    opened: int
    closed: int
    refused: int
    expired: int
    steps: int


class Pool:
    """The sessions of one environment class. Use it on one event loop.

    Args:
        blueprint: What every session is made from.
        settings: Limits.
        clock: Where time comes from.
    """

    def __init__(
        self, blueprint: Blueprint, settings: PoolSettings, clock: Clock | None = None
    ) -> None:
        self.blueprint = blueprint
        self.settings = settings
        self.clock = clock or SystemClock()
        self._sessions: dict[str, Session] = {}
        self._holders: dict[str, object] = {}
        self._lost: dict[str, float] = {}
        self._socket_owned: set[str] = set()
        self._last_active: dict[str, float] = {}
        self._closing: dict[str, asyncio.Task[None]] = {}
        self._close_on_detach: set[str] = set()
        self._waiting: collections.deque[asyncio.Future[None]] = collections.deque()
        self._is_stopped = False
        self._reaper: asyncio.Task[None] | None = None
        self._counts: collections.Counter[str] = collections.Counter()

    def statistics(self) -> PoolStatistics:
        """What the pool holds and has seen."""
        steps = self._counts["steps"] + sum(each.steps for each in self._sessions.values())
        return PoolStatistics(
            active=len(self._sessions),
            waiting=len(self._waiting),
            max_sessions=self.settings.max_sessions,
            steps=steps,
            **{name: self._counts[name] for name in ("opened", "closed", "refused", "expired")},
        )

    async def open(self, mode: ServerMode, session_id: str | None = None) -> Session:
        """Take a slot and build an environment in it.

        Raises:
            CapacityError: No slot became free in time.
            FactoryError: The author's constructor raised; the slot is free again.
        """
        await self._take_slot()
        try:
            session = Session(session_id or str(uuid.uuid4()), self.blueprint, mode)
        except RuntimeError as error:  # what Python says where the system grants no more threads
            raise self._refusal(str(error)) from error
        self._sessions[session.id] = session
        try:
            await session.open()
        except BaseException:
            await self.close(session)
            raise
        self._counts["opened"] += 1
        self._touch(session)
        self._ensure_reaper()
        return session

    def start(self) -> None:
        """Let sessions be opened again after `aclose`."""
        self._is_stopped = False

    async def _take_slot(self) -> None:
        """Wait for a slot, or make one by ending a session whose client went away.

        The slot is not reserved across an await: every path returns straight to the caller, which
        fills it before anything else runs.
        """
        deadline = self.clock.now() + self.settings.queue_timeout_s
        while len(self._sessions) >= self.settings.max_sessions and not self._is_stopped:
            forsaken = [each for each in self._lost if not self._sessions[each].is_busy]
            if forsaken:
                await self.close(self._sessions[forsaken[0]])
            else:
                await self._wait_for_slot(deadline)
        if self._is_stopped:
            raise SessionError("The server is stopping")

    async def _wait_for_slot(self, deadline: float) -> None:
        seconds = deadline - self.clock.now()
        if seconds <= 0:
            raise self._refusal()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        alarm = asyncio.ensure_future(self.clock.sleep(seconds))
        try:
            await asyncio.wait({turn, alarm}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
            if turn in self._waiting:
                self._waiting.remove(turn)

    def _refusal(self, reason: str = "Cannot accept new connections.") -> CapacityError:
        self._counts["refused"] += 1
        active, most = len(self._sessions), self.settings.max_sessions
        return CapacityError(
            f"Server at capacity: {active}/{most} sessions active. {reason}",
            active_sessions=active,
            max_sessions=most,
            retry_after=1.0,
        )

    @contextlib.asynccontextmanager
    async def lease(self, mode: ServerMode, session_id: str | None) -> AsyncIterator[Session]:
        """The named session, or one that lives for this request alone."""
        if session_id is not None:
            session = self.get(session_id)
            try:
                yield session
            finally:
                self._touch(session)
            return
        session = await self.open(mode)
        try:
            yield session
        finally:
            await self.close(session)

    async def metadata(self, mode: ServerMode) -> Any:
        """What an instance says of its class; asked of one that exists where no more may."""
        if len(self._sessions) >= self.settings.max_sessions:
            for session in self._sessions.values():
                if session.is_open:
                    return await session.metadata()
        async with self.lease(mode, None) as session:
            return await session.metadata()

    def _touch(self, session: Session) -> None:
        self._last_active[session.id] = self.clock.now()

    def __contains__(self, session_id: str) -> bool:
        return session_id in self._sessions

    def get(self, session_id: str) -> Session:
        """The session of this id.

        Raises:
            UnknownSessionError: None has it, or it has ended.
            SessionError: Its environment is still being built.
        """
        session = self._sessions.get(session_id)
        if session is None or session_id in self._closing:
            raise UnknownSessionError(f"Unknown session_id: {session_id}")
        if not session.is_open:
            raise SessionError(f"Session {session_id} is still initializing; retry shortly")
        return session

    async def open_held(self, mode: ServerMode, session_id: str, holder: object) -> Session:
        """As `open`, for a WebSocket: the session ends when the one that holds it leaves."""
        await self.open(mode, session_id)
        self._socket_owned.add(session_id)
        return self.attach(session_id, holder)

    def attach(self, session_id: str, holder: object) -> Session:
        """Let a WebSocket hold the session, which then does not expire.

        Args:
            session_id: Of an open session.
            holder: Whatever stands for the WebSocket; `detach` takes the same.

        Raises:
            SessionAttachedError: Another one does.
            UnknownSessionError, SessionError: As `get`.
        """
        session = self.get(session_id)
        if session_id in self._holders:
            raise SessionAttachedError(f"Session {session_id} already has an attached WebSocket")
        self._holders[session_id] = holder
        self._lost.pop(session_id, None)
        return session

    def lose(self, session_id: str, holder: object) -> None:
        """The holder's connection broke: until the grace time is over, another may attach."""
        if self._holders.get(session_id) is not holder:
            return
        del self._holders[session_id]
        self._last_active[session_id] = self.clock.now()
        if session_id in self._close_on_detach:
            self._begin_end(self._sessions[session_id])
        elif session_id in self._socket_owned:
            self._lost[session_id] = self.clock.now()

    async def detach(self, session: Session, holder: object) -> None:
        """The holder let go of its own will: end the session if it was a WebSocket's own."""
        if self._holders.get(session.id) is not holder:
            return
        del self._holders[session.id]
        self._touch(session)
        if session.id in self._close_on_detach | self._socket_owned:
            await self.close(session)

    async def request_close(self, session_id: str) -> bool:
        """Close the session now, or, while a WebSocket holds it, when that lets go.

        Returns:
            Whether it is closed.
        """
        session = self.get(session_id)
        if session_id in self._holders:
            self._close_on_detach.add(session_id)
            return False
        await self.close(session)
        return True

    async def close(self, session: Session) -> None:
        """End the session and give its slot back, even if the caller is cancelled meanwhile."""
        if self._sessions.get(session.id) is not session:
            return
        await asyncio.shield(self._begin_end(session))

    def _begin_end(self, session: Session) -> asyncio.Task[None]:
        """The one task that ends the session."""
        task = self._closing.get(session.id)
        if task is None:
            task = self._closing[session.id] = asyncio.create_task(self._end(session))
        return task

    async def _end(self, session: Session) -> None:
        try:
            await session.close()
        finally:
            self._forget(session)

    def _forget(self, session: Session) -> None:
        self._sessions.pop(session.id, None)
        self._closing.pop(session.id, None)
        self._lost.pop(session.id, None)
        self._counts["closed"] += self._last_active.pop(session.id, None) is not None
        self._holders.pop(session.id, None)
        self._socket_owned.discard(session.id)
        self._close_on_detach.discard(session.id)
        self._counts["steps"] += session.steps
        if not self._sessions and self._reaper is not None:
            self._reaper.cancel()
            self._reaper = None
        self._wake_all()

    def _wake_all(self) -> None:
        """Every waiter looks again; waking just one could lose the turn if it was cancelled."""
        for turn in self._waiting:
            if not turn.done():
                turn.set_result(None)

    def _ensure_reaper(self) -> None:
        """The reaper lives only while there are sessions, so no lifespan is needed to end it."""
        if self._reaper is None:
            self._reaper = asyncio.create_task(self._reap())

    async def _reap(self) -> None:
        shortest = min(self.settings.idle_timeout_s, self.settings.resume_grace_s)
        while True:
            await self.clock.sleep(max(shortest / 4, 0.05))
            await self.sweep()

    async def sweep(self) -> None:
        """Close every session that has waited too long."""
        for session in [each for each in self._sessions.values() if self._has_expired(each)]:
            log.info("Session %s expired", session.id)
            self._counts["expired"] += 1
            # Not awaited: this may run in the reaper, which the last closing cancels.
            self._begin_end(session)

    def _has_expired(self, session: Session) -> bool:
        if session.is_busy or not session.is_open or session.id in self._closing:
            return False
        now = self.clock.now()
        if session.id in self._lost:
            return now - self._lost[session.id] >= self.settings.resume_grace_s
        idle = now - self._last_active[session.id]
        return session.id not in self._holders and idle >= self.settings.idle_timeout_s

    async def aclose(self) -> None:
        """Open no more sessions and close those there are; give up on what does not end in time.

        What is given up on is named in the log: its thread ends with the process.
        """
        self._is_stopped = True
        self._wake_all()
        endings = [asyncio.ensure_future(self.close(s)) for s in list(self._sessions.values())]
        if endings:
            await asyncio.wait(endings, timeout=self.settings.close_timeout_s)
        abandoned = list(self._closing.items())
        for session_id, closing in abandoned:
            log.error("Session %s did not close in time and was abandoned", session_id)
            closing.cancel()
        await asyncio.gather(*(each for _, each in abandoned), *endings, return_exceptions=True)


def default_capacity(blueprint: Blueprint) -> int:
    """One environment, unless the class says that several may live side by side."""
    return 100 if blueprint.is_concurrent else 1
