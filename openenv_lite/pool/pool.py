"""All sessions of one server: how many may exist, who holds which, and when one ends.

A slot is taken before the author's constructor runs and given back after the author's `close` has
returned, so the count is of environments that exist, wherever they were made.
"""

import asyncio
import collections
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

from openenv_lite.blueprint import Blueprint
from openenv_lite.clock import Clock, SystemClock
from openenv_lite.errors import (
    CapacityError,
    SessionAttachedError,
    SessionError,
    UnknownSessionError,
)
from openenv_lite.pool.figures import PoolSettings, PoolStatistics
from openenv_lite.pool.lease import Lease
from openenv_lite.session import Catalogue, Session
from openenv_lite.snapshots import Snapshots
from openenv_lite.types import ServerMode
from openenv_lite.workers import new_id, slots_of, whereabouts

__all__ = ["NewSession", "Pool"]

log = logging.getLogger(__name__)

NewSession = Callable[[str, Blueprint, ServerMode], Session]
"""From an id, what the environment is made from, and a mode."""


class Pool:
    """The sessions of one environment class. Use it on one event loop.

    Args:
        blueprint: What every session is made from.
        settings: Limits.
        clock: Where time comes from.
        new_session: What makes a session; `recording` has what makes those that are recorded.

    Attributes:
        catalogues: What the first environment built in each mode offered.
        snapshots: Those that its trainers keep here.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        settings: PoolSettings,
        clock: Clock | None = None,
        new_session: NewSession = Session,
    ) -> None:
        self.blueprint = blueprint
        self.settings = settings
        self.clock = clock or SystemClock()
        self._new_session = new_session
        self._leases: dict[str, Lease] = {}
        self._slots = slots_of(settings.max_sessions, self._end_forsaken)
        self._is_stopped = False
        self._reaper: asyncio.Task[None] | None = None
        self._counts: collections.Counter[str] = collections.Counter()
        self.catalogues: dict[ServerMode, Catalogue] = {}
        self.snapshots = Snapshots(settings, self.clock)

    def __contains__(self, session_id: str) -> bool:
        return session_id in self._leases

    def statistics(self) -> PoolStatistics:
        """What the pool holds and has seen."""
        running = sum(lease.session.steps for lease in self._leases.values())
        return PoolStatistics(
            active=len(self._leases),
            waiting=self._slots.waiting,
            max_sessions=self.settings.max_sessions,
            steps=self._counts["steps"] + running,
            **{name: self._counts[name] for name in ("opened", "closed", "refused", "expired")},
        )

    async def open(
        self, mode: ServerMode, session_id: str | None = None, owner: str | None = None
    ) -> Session:
        """Take a slot and build an environment in it.

        Args:
            mode: In which it is served.
            session_id: Its id; one that nobody can guess by default.
            owner: The principal to whom alone it answers; None for whoever knows the id.

        Raises:
            CapacityError: No slot became free in time.
            FactoryError: The author's constructor raised; the slot is free again.
            SessionError: The server is stopping.
        """
        await self._take_slot()
        try:
            session = self._new_session(session_id or new_id(), self.blueprint, mode)
        except BaseException as error:
            self._slots.give_back()
            if isinstance(error, RuntimeError):  # Python's, where the system grants no more threads
                raise self._refusal(len(self._leases), str(error)) from error
            raise
        lease = self._leases[session.id] = Lease(session, owner, self.clock.now())
        try:
            await session.open()
        except BaseException:
            await self.close(session)
            raise
        self._counts["opened"] += 1
        if mode not in self.catalogues:
            self.catalogues[mode] = session.catalogue()
        lease.last_active = self.clock.now()
        self._ensure_reaper()
        return session

    async def _take_slot(self) -> None:
        """Wait for a slot, or make one by ending a session whose client went away.

        Nothing is awaited once it is taken: the caller fills it before anything else runs.
        """
        deadline = self.clock.now() + self.settings.queue_timeout_s
        while not self._is_stopped and not self._slots.take():
            if not (await self._end_forsaken() or await self._slots.plead()):
                await self._wait_for_slot(deadline)
        if self._is_stopped:
            raise SessionError("The server is stopping")

    async def _end_forsaken(self) -> bool:
        """End the session that has waited longest for its client; False if none waits."""
        forsaken = [each for each in self._leases.values() if each.is_forsaken]
        if forsaken:
            await self.close(min(forsaken, key=lambda each: each.dispensability).session)
        return bool(forsaken)

    async def _wait_for_slot(self, deadline: float) -> None:
        seconds = deadline - self.clock.now()
        if seconds <= 0:
            raise self._refusal(self.settings.max_sessions, "Cannot accept new connections.")
        await self._slots.wait(seconds, self.clock)

    def _refusal(self, active: int, reason: str) -> CapacityError:
        self._counts["refused"] += 1
        most = self.settings.max_sessions
        return CapacityError(
            f"Server at capacity: {active}/{most} sessions active. {reason}",
            active_sessions=active,
            max_sessions=most,
            retry_after=1.0,
        )

    @contextlib.asynccontextmanager
    async def lease(
        self, mode: ServerMode, session_id: str | None, principal: str | None = None
    ) -> AsyncIterator[Session]:
        """The named session, or one that lives for this request alone."""
        if session_id is None:
            session = await self.open(mode)
            try:
                yield session
            finally:
                await self.close(session)
            return
        lease = self._find(session_id, mode, principal)
        try:
            yield lease.session
        finally:
            lease.last_active = self.clock.now()

    async def metadata(self, mode: ServerMode) -> Any:
        """What the class says of itself; an instance is built where the author computes it."""
        if self.blueprint.described is not None:
            return self.blueprint.described
        async with self.lease(mode, None) as session:
            return await session.metadata()

    def touch(
        self, session_id: str, mode: ServerMode | None = None, principal: str | None = None
    ) -> Session:
        """The session of this id and mode, for a call that begins now; so it does not expire.

        Raises:
            UnknownSessionError: None has it, it has ended, or it is another principal's.
            SessionError: Its environment is still being built.
        """
        lease = self._find(session_id, mode, principal)
        lease.last_active = self.clock.now()
        return lease.session

    def keep(self, session: Session) -> bool:
        """Note that a call begins in the session; False if it has ended."""
        if (lease := self._leases.get(session.id)) is not None:
            lease.last_active = self.clock.now()
        return lease is not None and lease.ending is None

    def _find(
        self, session_id: str, mode: ServerMode | None, principal: str | None = None
    ) -> Lease:
        lease = self._leases.get(session_id)
        if lease is None or not lease.admits(mode, principal):
            raise UnknownSessionError(f"Unknown session_id: {session_id}{whereabouts(session_id)}")
        if not lease.session.is_open:
            raise SessionError(f"Session {session_id} is still initializing; retry shortly")
        return lease

    async def open_held(
        self, mode: ServerMode, session_id: str, holder: object, owner: str | None = None
    ) -> Session:
        """As `open`, for a WebSocket: the session ends when the one that holds it leaves."""
        await self.open(mode, session_id, owner)
        self._leases[session_id].is_sockets_own = True
        return self.attach(session_id, holder, mode, owner)

    async def open_spare(self, mode: ServerMode, holder: object) -> Session:
        """As `open_held`; once its holder lets go of it, it is the first to make room."""
        session = await self.open_held(mode, new_id(), holder)
        self._leases[session.id].is_spare = True
        return session

    def neighbour(self, mode: ServerMode) -> Session | None:
        """Where no other can be opened now: a session of the mode with nothing under way."""
        if self._slots.take():
            self._slots.give_back()
            return None
        leases = [each for each in self._leases.values() if each.admits(mode, each.owner)]
        idle = (each.session for each in leases if each.session.is_open)
        return next((each for each in idle if not each.is_busy), None)

    def attach(
        self,
        session_id: str,
        holder: object,
        mode: ServerMode | None = None,
        principal: str | None = None,
    ) -> Session:
        """Let a WebSocket hold the session, which then does not expire.

        A session that a WebSocket opened goes to whoever knows its id: its client is back before
        the server has noticed that the old connection is dead.

        Args:
            session_id: Of an open session.
            holder: Whatever stands for the WebSocket; `lose` and `detach` take the same.
            mode: The mode it must have.
            principal: Who asks; the session must be that one's, or nobody's.

        Raises:
            SessionAttachedError: Another one holds it.
            UnknownSessionError, SessionError: As `touch`.
        """
        lease = self._find(session_id, mode, principal)
        if lease.holder is not None and not lease.is_sockets_own:
            raise SessionAttachedError(f"Session {session_id} already has an attached WebSocket")
        lease.holder, lease.lost_at = holder, None
        return lease.session

    def lose(self, session_id: str, holder: object) -> None:
        """The holder's connection broke: until the grace time is over, another may attach."""
        lease = self._let_go(session_id, holder)
        if lease is not None and lease.is_to_close:
            self._begin_end(lease)
        elif lease is not None and lease.is_sockets_own:
            lease.lost_at = self.clock.now()
            self._slots.wake_all()

    async def detach(self, session: Session, holder: object) -> None:
        """The holder let go of its own will: end the session if it was a WebSocket's own."""
        lease = self._let_go(session.id, holder)
        if lease is not None and (lease.is_to_close or lease.is_sockets_own):
            await self.close(session)

    def _let_go(self, session_id: str, holder: object) -> Lease | None:
        """The lease, if it was this holder's to let go."""
        lease = self._leases.get(session_id)
        if lease is None or lease.holder is not holder:
            return None
        lease.holder, lease.last_active = None, self.clock.now()
        return lease

    async def request_close(
        self, session_id: str, mode: ServerMode | None = None, principal: str | None = None
    ) -> bool:
        """Close the session, if need be when its WebSocket lets go; True if it is closed."""
        lease = self._find(session_id, mode, principal)
        if lease.holder is not None:
            lease.is_to_close = True
            return False
        await self.close(lease.session)
        return True

    async def close(self, session: Session) -> None:
        """End the session and give its slot back, even if the caller is cancelled meanwhile."""
        lease = self._leases.get(session.id)
        if lease is not None and lease.session is session:
            await asyncio.shield(self._begin_end(lease))

    def _begin_end(self, lease: Lease) -> asyncio.Task[None]:
        """The one task that ends the session."""
        if lease.ending is None:
            lease.ending = asyncio.create_task(self._end(lease))
        return lease.ending

    async def _end(self, lease: Lease) -> None:
        was_open = lease.session.is_open
        try:
            await lease.session.close()
        finally:
            del self._leases[lease.session.id]
            self._slots.give_back()
            self._counts["closed"] += was_open
            self._counts["steps"] += lease.session.steps
            self._rest()

    def _rest(self) -> None:
        """Without sessions there is nothing to watch."""
        if not self._leases and self._reaper is not None:
            self._reaper.cancel()
            self._reaper = None

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
        """Begin to close every session that has waited too long, and drop such snapshots."""
        self.snapshots.drop_expired()
        for lease in [each for each in self._leases.values() if self._has_expired(each)]:
            log.info("Session %s expired", lease.session.id)
            self._counts["expired"] += 1
            # Not awaited: this may run in the reaper, which the last closing cancels.
            self._begin_end(lease)

    def _has_expired(self, lease: Lease) -> bool:
        session = lease.session
        if session.is_busy:  # idle only from the end of a call
            lease.last_active = self.clock.now()
        if session.is_busy or not session.is_open or lease.ending or lease.holder is not None:
            return False
        if lease.lost_at is not None:
            return self.clock.now() - lease.lost_at >= self.settings.resume_grace_s
        return self.clock.now() - lease.last_active >= self.settings.idle_timeout_s

    def start(self) -> None:
        """Let sessions be opened again after `aclose`."""
        self._is_stopped = False

    async def aclose(self) -> None:
        """Open no more sessions and close those there are; give up on what does not end in time.

        What is given up on is named in the log: its thread ends with the process.
        """
        self._is_stopped = True
        self._slots.wake_all()
        endings = [self._begin_end(lease) for lease in self._leases.values()]
        if endings:
            await asyncio.wait(endings, timeout=self.settings.close_timeout_s)
        for lease in list(self._leases.values()):
            log.error("Session %s did not close in time: abandoned", lease.session.id)
            self._begin_end(lease).cancel()
        await asyncio.gather(*endings, return_exceptions=True)
