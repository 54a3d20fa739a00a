import asyncio
import threading
import uuid
from typing import Any, ClassVar

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from openenv_lite import ServerMode
from openenv_lite.blueprint import Blueprint
from openenv_lite.errors import CapacityError, FactoryError, OpenEnvError, SessionError
from openenv_lite.pool import Pool, PoolSettings
from openenv_lite.session import Session
from tests.environments import Add, Inline, Threaded
from tests.leaks import settled, until
from tests.manual_clock import ManualClock

MOST = 3
IDLE_S, GRACE_S, QUEUE_S = 100.0, 30.0, 10.0


class Lives(RuleBasedStateMachine):
    """Clients come, go, break off and give up; the author's class counts who is alive.

    Building takes one turn of the loop, so that a caller can be cancelled in the middle.
    """

    sessions = Bundle("sessions")
    base: type[Inline] | type[Threaded] = Threaded

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        self.fails = False
        self.most_alive = 0
        self.held: set[str] = set()
        self.own: set[str] = set()
        self.pool = Pool(
            Blueprint(self._kind()),
            PoolSettings(
                max_sessions=MOST,
                idle_timeout_s=IDLE_S,
                resume_grace_s=GRACE_S,
                queue_timeout_s=QUEUE_S,
            ),
            self.clock,
        )

    def _kind(self) -> Any:
        machine = self
        lock = threading.Lock()

        class Counted(self.base):  # type: ignore[name-defined,misc]
            alive: ClassVar[set[Any]] = set()

            def __init__(self) -> None:
                if machine.fails:
                    raise ValueError("no")
                super().__init__()
                with lock:
                    machine.most_alive = max(machine.most_alive, len(self.alive))

        self.alive = Counted.alive
        return Counted

    def run(self, coroutine: Any) -> Any:
        return self.runner.run(coroutine)

    async def _open(self, fails: bool, own: bool) -> Session | None:
        self.fails = fails
        name = str(uuid.uuid4())
        opening = asyncio.create_task(
            self.pool.open_held(ServerMode.SIMULATION, name, name)
            if own
            else self.pool.open(ServerMode.SIMULATION, name)
        )
        while not opening.done():
            await asyncio.sleep(0.0005)
            if self.pool.statistics().waiting:
                await self.clock.advance(QUEUE_S + 1)
        self.fails = False
        error = opening.exception()
        assert error is None or isinstance(error, CapacityError | FactoryError), error
        if error is None and own:
            self.held.add(name)
            self.own.add(name)
        return None if error else opening.result()

    @rule(target=sessions, fails=st.booleans(), own=st.booleans())
    def open(self, fails: bool, own: bool) -> Session | None:
        return self.run(self._open(fails, own))  # type: ignore[no-any-return]

    @rule(turns=st.integers(0, 6))
    def give_up_while_opening(self, turns: int) -> None:
        async def story() -> None:
            opening = asyncio.create_task(self.pool.open(ServerMode.SIMULATION))
            for _ in range(turns):
                await asyncio.sleep(0)
            opening.cancel()
            await asyncio.wait([opening])
            if not opening.cancelled() and opening.exception() is None:
                await self.pool.close(opening.result())

        self.run(story())

    @rule(session=sessions)
    def attach(self, session: Session | None) -> None:
        if session is None:
            return
        try:
            self.pool.attach(session.id, session.id)
        except SessionError:
            assert session.id in self.held or not session.is_open or self._closing(session)
        else:
            assert session.id not in self.held or session.id in self.own  # taken over
            self.held.add(session.id)

    def _closing(self, session: Session) -> bool:
        lease = self.pool._leases.get(session.id)
        return lease is not None and lease.ending is not None

    @rule(session=sessions, lost=st.booleans())
    def detach(self, session: Session | None, lost: bool) -> None:
        if session is not None and session.id in self.held:
            self.held.discard(session.id)
            self.run(self._let_go(session, lost))

    async def _let_go(self, session: Session, lost: bool) -> None:
        if lost:
            self.pool.lose(session.id, session.id)
        else:
            await self.pool.detach(session, session.id)
        await self._quiet()

    @rule(session=sessions)
    def ask_to_close(self, session: Session | None) -> None:
        async def story() -> None:
            assert session is not None
            try:
                closed = await self.pool.request_close(session.id)
            except SessionError:
                return
            assert closed is (session.id not in self.held)

        if session is not None:
            self.run(story())

    @rule(session=sessions, twice=st.booleans())
    def close(self, session: Session | None, twice: bool) -> None:
        async def story() -> None:
            assert session is not None
            await asyncio.gather(*(self.pool.close(session) for _ in range(1 + twice)))

        if session is not None:
            self.held.discard(session.id)
            self.run(story())

    @rule(session=sessions)
    def use(self, session: Session | None) -> None:
        async def story() -> None:
            assert session is not None
            try:
                async with self.pool.lease(ServerMode.SIMULATION, session.id) as leased:
                    await leased.reset()
                    await leased.step(Add(amount=1))
            except OpenEnvError as error:
                assert isinstance(error, SessionError), error

        if session is not None:
            self.run(story())

    @rule(seconds=st.sampled_from([1.0, GRACE_S, IDLE_S * 2]))
    def time_passes(self, seconds: float) -> None:
        self.run(self.clock.advance(seconds))
        self.run(self._quiet())

    @rule()
    def sweep(self) -> None:
        self.run(self.pool.sweep())
        self.run(self._quiet())

    @rule()
    def stop_and_start(self) -> None:
        self.run(self.pool.aclose())
        assert not self.alive
        self.held.clear()
        self.pool.start()

    async def _quiet(self) -> None:
        """Let closings that run by themselves come to their end."""
        await until(lambda: not any(each.ending for each in self.pool._leases.values()))

    @invariant()
    def the_count_is_of_environments_that_exist(self) -> None:
        statistics = self.pool.statistics()
        assert statistics.active == len(self.alive) <= MOST
        assert self.most_alive <= MOST
        assert statistics.opened - statistics.closed == statistics.active
        assert statistics.waiting == 0

    @invariant()
    def nobody_waits_while_a_forsaken_session_holds_a_slot(self) -> None:
        forsaken = [lease for lease in self.pool._leases.values() if lease.is_forsaken]
        assert not (forsaken and self.pool.statistics().waiting)

    def teardown(self) -> None:
        async def story() -> None:
            await self.pool.aclose()
            await settled()

        self.run(story())
        assert not self.alive
        self.runner.close()


class LivesOnTheLoop(Lives):
    """The same, where nothing needs a thread."""

    base = Inline


SETTINGS = hypothesis.settings(max_examples=25, stateful_step_count=20, deadline=None)

TestLives = Lives.TestCase
TestLives.settings = SETTINGS
TestLivesOnTheLoop = LivesOnTheLoop.TestCase
TestLivesOnTheLoop.settings = SETTINGS
