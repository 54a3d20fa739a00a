"""The async client of many environments on one connection."""

import asyncio
import contextlib
import importlib
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, Self, Unpack

from openenv_lite.client.async_client import check_loop
from openenv_lite.client.branching import AsyncBranching
from openenv_lite.client.carriers import AsyncCarrier, AsyncFrames
from openenv_lite.client.exchange import CLOSE_WAIT_S
from openenv_lite.client.recorded_lanes import RecordedAsyncCarrier, ledger_of
from openenv_lite.client.sync_vector_client import SyncVectorEnvClient
from openenv_lite.client.target import ASYNC_ALONE, ASGIApp
from openenv_lite.client.translation import ActT, ObsT, StateT, Typed
from openenv_lite.client.vector_exchange import Seeds, VectorExchange
from openenv_lite.client.vector_plan import Place, VectorOptions, VectorPlan
from openenv_lite.client.vector_result import VectorResult
from openenv_lite.client.vector_words import VectorWords
from openenv_lite.errors import ConnectionLostError, OpenEnvError, ReplyTimeoutError

__all__ = ["VectorEnvClient"]


class VectorEnvClient(AsyncBranching, Typed[ActT, ObsT, StateT]):
    """Many environments of one class, each in a lane, stepped together by one message.

    Name the types in the generics, `VectorEnvClient[Move, Board, State](url, num_envs=64)`, or do
    without: then observations and states are dicts. It connects by itself on the first call, and
    has all lanes or none. What befalls one lane is told in the result and leaves the others be.

    Calls may overlap: their replies find them by number. A call that times out or is cancelled is
    called off on the server too and costs its reply only. After a lost connection the next call
    takes all lanes up again where the server still has them; where it has not, every call but a
    reset of all lanes raises `ConnectionLostError`.

    Args:
        base_url: As `EnvClient` takes it, of an `openenv_lite` server.
        app: An ASGI app of this process to talk to without a socket.
        env: An environment's class, or a function that makes one, to play here with no server.
        num_envs: Lanes.
        **options: `batch_size`, how many lanes `recv` waits for (all that were sent together by
            default); `autoreset`, one of `"disabled"`, `"next_step"` and `"same_step"` as
            Gymnasium defines them; `encoding`, `"msgpack"` or `"json"`; `mode`, in which `env` is
            played; `snapshot_key`, which seals what it exports (16 characters or more; random by
            default); and those of `ConnectionSettings`.

    Raises:
        ValueError: Not exactly one of URL, app and env, or a value that an option cannot have.
        ConfigurationError: The file to record to cannot be written.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        app: ASGIApp | None = None,
        env: Callable[[], Any] | None = None,
        num_envs: int = 1,
        **options: Unpack[VectorOptions],
    ) -> None:
        self.plan = VectorPlan.of(Place(base_url, app, env), num_envs, options)
        self._exchange = VectorExchange(self.plan.lanes)
        self._ledger = ledger_of(self.plan)
        self._carrier: AsyncCarrier | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lost: list[AsyncCarrier] = []
        self._waiters: dict[int, asyncio.Future[None]] = {}
        self._connecting = asyncio.Lock()
        self._take_types()

    def _take_types(self) -> None:
        self._words = VectorWords(self.plan.form, self._types)

    @property
    def num_envs(self) -> int:
        """How many lanes there are."""
        return self._exchange.num_envs

    @property
    def sessions(self) -> list[str]:
        """The session ids of the lanes; none before the lanes are open."""
        return self._exchange.sessions

    def sync(self) -> "SyncVectorEnvClient[ActT, ObsT, StateT]":
        """The same client for code without an event loop, with lanes of its own."""
        return SyncVectorEnvClient(self.plan, self._words)

    async def connect(self) -> Self:
        """Connect and open the lanes now rather than on the first call.

        Raises:
            ConnectionFailedError: Nobody there, or nobody who speaks our subprotocol.
            ConnectionLostError: Episodes were lost, and nothing but a reset can follow.
            CapacityError, FactoryError: Not all lanes can be had, so there is none.
        """
        await self._connection()
        return self

    async def reset(
        self, seeds: Seeds = None, lanes: Sequence[int] | None = None, **options: Any
    ) -> VectorResult[ObsT]:
        """Begin an episode in each lane, all lanes by default.

        Args:
            seeds: One for each of the lanes, or one that counts up from the first of them.
            lanes: Numbers of lanes.
            options: The environment's own, the same for all.
        """
        request = self._exchange.reset(seeds, lanes, options)
        return self._words.result(await self._call(request, beginning=lanes is None))

    async def step(self, actions: Any, lanes: Sequence[int] | None = None) -> VectorResult[ObsT]:
        """Carry out one action in each lane, all lanes by default.

        Args:
            actions: A list, or an array with a row for each lane.
            lanes: Numbers of lanes.
        """
        return self._words.result(await self._call(self._exchange.step(actions, lanes)))

    async def send_reset(
        self, seeds: Seeds = None, lanes: Sequence[int] | None = None, **options: Any
    ) -> None:
        """As `reset`, its result left to `recv`."""
        await self._post(self._exchange.reset(seeds, lanes, options), beginning=lanes is None)

    async def send(self, actions: Any, lanes: Sequence[int] | None = None) -> None:
        """As `step`, its result left to `recv`."""
        await self._post(self._exchange.step(actions, lanes))

    async def recv(self) -> VectorResult[ObsT]:
        """What the earliest send not yet received gave.

        With `batch_size` it is the lanes that were ready first, whatever send they came of. A
        `recv` that times out or is cancelled loses nothing: the next one takes its result.

        Raises:
            RequestError: Nothing was sent.
        """
        asked = self._exchange.receive()
        request = self._exchange.next_posted() if asked is None else await self._claim(asked)
        try:
            await self._arrival(request)
        except BaseException:
            self._exchange.put_back(request)
            raise
        return self._words.result(self._exchange.result(request))

    async def state(self, lanes: Sequence[int] | None = None) -> list[StateT]:
        """Read the inner state of each lane, all lanes by default."""
        return self._words.states(await self._call(self._exchange.read_state(lanes)))

    async def close(self) -> None:
        """Close all lanes. A later call begins anew."""
        carrier, self._carrier = self._carrier, None
        try:
            if carrier is not None:
                self._lost.append(carrier)
                await self._part(carrier)
        finally:
            self._exchange.ended()
            self._wake_all()
            await self._release()

    async def __aenter__(self) -> Self:
        try:
            return await self.connect()
        except BaseException:
            await self.close()
            raise

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    def __enter__(self) -> NoReturn:
        raise TypeError(ASYNC_ALONE.format(type(self).__name__))

    def __exit__(self, *exc_info: object) -> None:
        """Nothing was entered; Python looks for it before it calls `__enter__`."""

    async def _part(self, carrier: AsyncCarrier) -> None:
        """Let the server close the environments, unless calls are under way that hold it up."""
        is_idle = not self._exchange.is_owed
        farewell = self._exchange.close()
        self._exchange.sent(farewell)
        await carrier.send(farewell)
        if is_idle:
            with contextlib.suppress(ReplyTimeoutError):
                await self._arrival(farewell.id, CLOSE_WAIT_S)
        self._exchange.give_up(farewell.id)

    async def _claim(self, request: Any) -> int:
        """Ask for what this very call will take; another one asks for itself."""
        carrier = await self._connection()
        self._exchange.sent(request)
        await carrier.send(request)
        number: int = request.id
        return number

    async def _post(self, request: Any, beginning: bool = False) -> None:
        """A request whose reply is left to `recv`."""
        carrier = await self._connection(beginning)
        self._exchange.post(request)
        try:
            await carrier.send(request)
        except Exception:
            self._exchange.unpost(request.id)
            raise

    async def _call(self, request: Any, beginning: bool = False) -> Any:
        """One request and its reply."""
        carrier = await self._connection(beginning)
        return await self._ask(carrier, request)

    async def _ask(self, carrier: AsyncCarrier, request: Any) -> Any:
        self._exchange.sent(request)
        try:
            await carrier.send(request)
            await self._arrival(request.id)
        except BaseException:
            cancel = self._exchange.give_up(request.id)
            if cancel is not None:
                await carrier.send(cancel)
            raise
        return self._exchange.result(request.id)

    async def _arrival(self, request: int, patience: float | None = None) -> None:
        """Wait for the reply to a request, which is then the exchange's to give.

        Raises:
            ReplyTimeoutError: It did not come in time.
        """
        if self._exchange.has(request):
            return
        patience = patience or self.plan.settings.message_timeout_s
        loop = asyncio.get_running_loop()
        waiter = self._waiters[request] = loop.create_future()
        alarm = None if patience is None else loop.call_later(patience, _expire, waiter, patience)
        try:
            await waiter
        finally:
            del self._waiters[request]
            if alarm is not None:
                alarm.cancel()

    def _hear(self, reply: Any) -> None:
        self._exchange.told(reply)
        if reply.id is None:
            self._wake_all()
        elif reply.id in self._waiters:
            _wake(self._waiters[reply.id])

    def _wake_all(self) -> None:
        for waiter in self._waiters.values():
            _wake(waiter)

    async def _connection(self, beginning: bool = False) -> AsyncCarrier:
        """The connection with all lanes open, made or made again where there is none."""
        if self._carrier is not None:
            check_loop(self._loop)
            return self._carrier
        async with self._connecting:
            if self._carrier is None:
                self._carrier = await self._opened(beginning)
                self._loop = asyncio.get_running_loop()
            return self._carrier

    async def _release(self) -> None:
        while self._lost:
            await self._lost.pop().close()

    async def _opened(self, beginning: bool) -> AsyncCarrier:
        await self._release()
        request = self._exchange.open(beginning)
        carrier = self._new_carrier()
        try:
            await carrier.connect(
                self._hear, lambda loss: self._lose(carrier, loss), self._exchange.known_session
            )
            self._exchange.opened(request, await self._ask(carrier, request))
            if carrier in self._lost:  # it broke in the very breath in which it opened
                return await self._opened(beginning)
        except BaseException as error:
            await carrier.close()
            if not isinstance(error, OpenEnvError) or not self._exchange.bereft(request, error):
                raise
            return await self._opened(beginning)
        return carrier

    def _new_carrier(self) -> AsyncCarrier:
        if self._ledger is None:
            return self._carrier_with(self._words)
        return RecordedAsyncCarrier(self._carrier_with, self._words, self._ledger)

    def _carrier_with(self, words: VectorWords) -> AsyncCarrier:
        if self.plan.target is not None:
            return AsyncFrames(self.plan.target, words)
        # Only who plays here pays for the runtime.
        found = importlib.import_module("openenv_lite.client.env_carrier")
        carrier: AsyncCarrier = found.AsyncEnvs(self.plan, words)
        return carrier

    def _lose(self, carrier: AsyncCarrier, loss: ConnectionLostError) -> None:
        """The connection broke; whoever waits is told."""
        self._exchange.broken(loss)
        self._wake_all()
        self._lost.append(carrier)
        if self._carrier is carrier:
            self._carrier = None


def _wake(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)


def _expire(waiter: "asyncio.Future[None]", patience: float) -> None:
    if not waiter.done():
        waiter.set_exception(ReplyTimeoutError(f"No reply within {patience} s"))
