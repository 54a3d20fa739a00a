"""The sync client of an environment: no thread, and over TCP no event loop either."""

import copy
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar

from openenv_lite import codec
from openenv_lite.client.deadline import Deadline
from openenv_lite.client.exchange import CLOSE_WAIT_S, FAREWELL, READ_STATE, Exchange, request
from openenv_lite.client.recorded import RecordedSync, ledger_of
from openenv_lite.client.sync_inprocess import OwnLoop, SyncInProcess
from openenv_lite.client.sync_socket import SyncSocket
from openenv_lite.client.target import Target
from openenv_lite.client.translation import ActT, Hooks, ObsT, StateT
from openenv_lite.client.transport import SyncTransport
from openenv_lite.errors import (
    ConnectionLostError,
    OpenEnvError,
    ReplyTimeoutError,
    SessionError,
)
from openenv_lite.types import StepResult

__all__ = ["SyncEnvClient"]

T = TypeVar("T")


class SyncEnvClient(Generic[ActT, ObsT, StateT]):
    """`EnvClient` for code without an event loop, made by its `sync()`.

    For one thread at a time. Between two calls nothing runs, so nobody answers the server's pings:
    see `sync_socket`.
    """

    def __init__(self, target: Target, hooks: Hooks[ActT, ObsT, StateT]) -> None:
        self.target = target
        self._hooks = hooks
        self._loop, self._owns_loop = OwnLoop(), True
        self._begin()

    def _begin(self) -> None:
        """Everything that belongs to one session."""
        self._exchange = Exchange()
        self._words = self._hooks._translation()
        self._ledger = ledger_of(self.target)
        self._transport: SyncTransport | None = None
        self._children: list[Self] = []

    @property
    def base_url(self) -> str:
        """Where the server is."""
        return self.target.base_url

    def connect(self) -> Self:
        """Connect now rather than on the first call.

        Raises:
            ConnectionFailedError: Nobody there, or the handshake was refused.
            ConnectionLostError: An episode was lost, and nothing but a reset can follow.
        """
        self._connection()
        return self

    def reset(self, **options: Any) -> StepResult[ObsT]:
        """Begin an episode; `seed`, `episode_id` and the environment's own options."""
        message = request("reset", codec.encode(options))
        try:
            return self._call(message, self._words.result, beginning=True)
        except SessionError:
            if not self._exchange.resumed:
                raise
            return self._call(message, self._words.result, beginning=True)

    def step(self, action: ActT) -> StepResult[ObsT]:
        """Carry out one action."""
        return self._call(self._words.step(action), self._words.result)

    def state(self) -> StateT:
        """Read the inner state."""
        return self._call(READ_STATE, self._words.state)

    def new_session(self) -> Self:
        """A connected client of its own session on the same server, closed with this one."""
        child = copy.copy(self)
        child._owns_loop = False
        child._begin()
        self._children.append(child.__enter__())
        return child

    def close(self) -> None:
        """End the session and those of all children. A later call begins anew."""
        try:
            self._release()
        finally:
            self._close_loop()

    disconnect = close

    def __enter__(self) -> Self:
        try:
            return self.connect()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _release(self) -> None:
        """Close the connection and those of all children."""
        while self._children:
            self._children.pop().close()
        transport, self._transport = self._transport, None
        self._exchange.ended()
        if transport is not None:
            transport.send(FAREWELL)
            transport.close(0 if self._exchange.owed else CLOSE_WAIT_S)

    def _close_loop(self) -> None:
        if self._owns_loop:
            self._loop.close()

    def _call(self, message: bytes, read: Callable[[bytes], T], beginning: bool = False) -> T:
        """One request and its reply."""
        transport = self._connection(beginning)
        self._exchange.sent()
        try:
            transport.send(message)
            return read(self._reply(transport))
        except OpenEnvError as error:
            if isinstance(error, ConnectionLostError) or error.close_code is not None:
                self._abandon(transport, error)
            raise

    def _reply(self, transport: SyncTransport) -> bytes:
        """The reply to the latest request; those of earlier ones are dropped on the way."""
        patience = self.target.settings.message_timeout_s
        deadline = Deadline(patience)
        try:
            reply = transport.receive(patience)
            while not self._exchange.settles():
                reply = transport.receive(deadline.left_s)
            return reply
        except TimeoutError:
            raise ReplyTimeoutError(f"No reply within {patience} s") from None

    def _connection(self, beginning: bool = False) -> SyncTransport:
        """The connection, made or made again where there is none."""
        if self._transport is not None:
            loss = self._transport.loss()
            if loss is None:
                return self._transport
            self._abandon(self._transport, loss)
        session = self._exchange.route(beginning)
        transport = self._new_transport()
        self._exchange.opened(session, transport.connect(session))
        self._transport = transport
        return transport

    def _new_transport(self) -> SyncTransport:
        transport: SyncTransport = (
            SyncSocket(self.target)
            if self.target.app is None
            else SyncInProcess(self.target, self._loop)
        )
        return transport if self._ledger is None else RecordedSync(transport, self._ledger)

    def _abandon(self, transport: SyncTransport, error: OpenEnvError) -> None:
        """Let go of a connection that is of no use any more."""
        self._transport = None
        if isinstance(error, ConnectionLostError):
            self._exchange.broken(error)
        else:
            self._exchange.turned_away(error)
        transport.close(0)
