"""The async client of an environment, and the generic one for dicts."""

import asyncio
import copy
from collections.abc import Callable
from typing import Any, NoReturn, Self, TypeVar, Unpack

from openenv_lite import codec
from openenv_lite.client.async_socket import AsyncSocket
from openenv_lite.client.deadline import Deadline
from openenv_lite.client.exchange import CLOSE_WAIT_S, FAREWELL, READ_STATE, Exchange, request
from openenv_lite.client.inprocess import AsyncInProcess
from openenv_lite.client.recorded import RecordedTransport, ledger_of
from openenv_lite.client.sync_client import SyncEnvClient
from openenv_lite.client.target import ASYNC_ALONE, ASGIApp, ConnectionOptions, Target
from openenv_lite.client.translation import ActT, Hooks, ObsT, StateT
from openenv_lite.client.transport import AsyncTransport
from openenv_lite.errors import (
    ConfigurationError,
    ConnectionLostError,
    OpenEnvError,
    ReplyTimeoutError,
    SessionError,
)
from openenv_lite.types import ServerMode, StepResult

__all__ = ["EnvClient", "GenericAction", "GenericEnvClient", "check_loop"]

T = TypeVar("T")


class EnvClient(Hooks[ActT, ObsT, StateT]):
    """One session on a server, over OpenEnv's `/ws`; connects by itself on the first call.

    Name the types in the generics, `class Chess(EnvClient[Move, Board, State])`, or override
    OpenEnv's hooks. Calls on one client wait for each other; use `new_session()` for more at once.

    A call that times out or is cancelled costs its reply only: the next call gets its own. After a
    lost connection the next call takes the episode up again where the server can resume it (ours
    can); where it cannot, every call but `reset` raises `ConnectionLostError`.

    Args:
        base_url: `http://`, `https://`, `ws://` or `wss://`, with a path where the app is mounted;
            or a Unix domain socket, `unix:///run/env.sock`.
        app: An ASGI app of this process to talk to without a socket.
        mode: What the caller takes the server to be; kept as `mode`.
        **options: See `ConnectionSettings`.

    Raises:
        ValueError: Neither URL nor app, an unknown scheme, or an unknown mode.
        ConfigurationError: The file to record to cannot be written.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        app: ASGIApp | None = None,
        mode: str | None = None,
        **options: Unpack[ConnectionOptions],
    ) -> None:
        self.mode = ServerMode((mode or ServerMode.SIMULATION).lower())
        self.target = Target.of(base_url, app, options)
        self._begin()

    def _begin(self) -> None:
        """Everything that belongs to one session."""
        self._exchange = Exchange()
        self._words = self._translation()
        self._ledger = ledger_of(self.target)
        self._transport: AsyncTransport | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._children: list[Self] = []
        self._turn = asyncio.Lock()

    @property
    def base_url(self) -> str:
        """Where the server is."""
        return self.target.base_url

    def sync(self) -> "SyncEnvClient[ActT, ObsT, StateT]":
        """The same client for code without an event loop, with a session of its own."""
        return SyncEnvClient(self.target, self)

    async def connect(self) -> Self:
        """Connect now rather than on the first call.

        Raises:
            ConnectionFailedError: Nobody there, or the handshake was refused.
            ConnectionLostError: An episode was lost, and nothing but a reset can follow.
        """
        async with self._turn:
            await self._connection()
        return self

    async def reset(self, **options: Any) -> StepResult[ObsT]:
        """Begin an episode; `seed`, `episode_id` and the environment's own options."""
        message = request("reset", codec.encode(options))
        try:
            return await self._call(message, self._words.result, beginning=True)
        except SessionError:
            if not self._exchange.resumed:
                raise
            return await self._call(message, self._words.result, beginning=True)

    async def step(self, action: ActT) -> StepResult[ObsT]:
        """Carry out one action."""
        return await self._call(self._words.step(action), self._words.result)

    async def state(self) -> StateT:
        """Read the inner state."""
        return await self._call(READ_STATE, self._words.state)

    async def new_session(self) -> Self:
        """A connected client of its own session on the same server, closed with this one."""
        child = copy.copy(self)
        child._begin()
        self._children.append(await child.__aenter__())
        return child

    async def close(self) -> None:
        """End the session and those of all children. A later call begins anew."""
        while self._children:
            await self._children.pop().close()
        transport, self._transport = self._transport, None
        self._exchange.ended()
        if transport is not None:
            await transport.send(FAREWELL)
            await transport.close(0 if self._exchange.owed else CLOSE_WAIT_S)

    disconnect = close

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

    async def _call(self, message: bytes, read: Callable[[bytes], T], beginning: bool = False) -> T:
        """One request and its reply."""
        async with self._turn:
            transport = await self._connection(beginning)
            self._exchange.sent()
            try:
                await transport.send(message)
                return read(await self._reply(transport))
            except OpenEnvError as error:
                if isinstance(error, ConnectionLostError) or error.close_code is not None:
                    await self._abandon(transport, error)
                raise

    async def _reply(self, transport: AsyncTransport) -> bytes:
        """The reply to the latest request; those of earlier ones are dropped on the way."""
        patience = self.target.settings.message_timeout_s
        deadline = Deadline(patience)
        try:
            reply = await transport.receive(patience)
            while not self._exchange.settles():
                reply = await transport.receive(deadline.left_s)
            return reply
        except TimeoutError:
            raise ReplyTimeoutError(f"No reply within {patience} s") from None

    async def _connection(self, beginning: bool = False) -> AsyncTransport:
        """The connection, made or made again where there is none."""
        if self._transport is not None:
            check_loop(self._loop)
            loss = await self._transport.loss()
            if loss is None:
                return self._transport
            await self._abandon(self._transport, loss)
        session = self._exchange.route(beginning)
        transport = self._new_transport()
        self._exchange.opened(session, await transport.connect(session))
        self._transport, self._loop = transport, asyncio.get_running_loop()
        return transport

    def _new_transport(self) -> AsyncTransport:
        kind = AsyncSocket if self.target.app is None else AsyncInProcess
        transport: AsyncTransport = kind(self.target)
        return transport if self._ledger is None else RecordedTransport(transport, self._ledger)

    async def _abandon(self, transport: AsyncTransport, error: OpenEnvError) -> None:
        """Let go of a connection that is of no use any more, unless a close has done so."""
        if self._transport is not transport:
            return
        self._transport = None
        if isinstance(error, ConnectionLostError):
            self._exchange.broken(error)
        else:
            self._exchange.turned_away(error)
        await transport.close(0)


class GenericEnvClient(EnvClient[Any, dict[str, Any], dict[str, Any]]):
    """A client without types: actions are dicts, Structs or models; the rest is dicts."""


class GenericAction(dict[str, Any]):
    """An action from keyword arguments: `GenericAction(message="hello")`."""


def check_loop(home: asyncio.AbstractEventLoop | None) -> None:
    """A connection lives on the event loop it was made on.

    Raises:
        ConfigurationError: The caller runs on another.
    """
    if home is not asyncio.get_running_loop():
        raise ConfigurationError(
            "This client is connected on another event loop, where its connection lives; "
            "keep to one asyncio.run(...), or use sync()"
        )
