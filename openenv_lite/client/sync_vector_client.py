"""The sync client of many environments on one connection."""

import contextlib
import importlib
from collections.abc import Sequence
from typing import Any, Generic, Self

from openenv_lite.client.branching import SyncBranching
from openenv_lite.client.carriers import SyncCarrier, SyncFrames
from openenv_lite.client.deadline import Deadline
from openenv_lite.client.exchange import CLOSE_WAIT_S
from openenv_lite.client.recorded_lanes import RecordedSyncCarrier, ledger_of
from openenv_lite.client.sync_inprocess import OwnLoop
from openenv_lite.client.translation import ActT, ObsT, StateT
from openenv_lite.client.vector_exchange import Seeds, VectorExchange
from openenv_lite.client.vector_plan import VectorPlan
from openenv_lite.client.vector_result import VectorResult
from openenv_lite.client.vector_words import VectorWords
from openenv_lite.errors import ConnectionLostError, OpenEnvError, ReplyTimeoutError

__all__ = ["SyncVectorEnvClient"]


class SyncVectorEnvClient(SyncBranching, Generic[ActT, ObsT, StateT]):
    """`VectorEnvClient` for code without an event loop, made by its `sync()`.

    For one thread at a time. Over a socket there is no event loop here either, nor where an
    environment of this process is played whose every call runs inline.
    """

    def __init__(self, plan: VectorPlan, words: VectorWords) -> None:
        self.plan = plan
        self._words = words
        self._exchange = VectorExchange(plan.lanes)
        self._ledger = ledger_of(plan)
        self._carrier: SyncCarrier | None = None
        self._loop = OwnLoop()

    @property
    def num_envs(self) -> int:
        """How many lanes there are."""
        return self._exchange.num_envs

    @property
    def sessions(self) -> list[str]:
        """The session ids of the lanes; none before the lanes are open."""
        return self._exchange.sessions

    def connect(self) -> Self:
        """See `VectorEnvClient`."""
        self._connection()
        return self

    def reset(
        self, seeds: Seeds = None, lanes: Sequence[int] | None = None, **options: Any
    ) -> VectorResult[ObsT]:
        """See `VectorEnvClient`."""
        self._renewed(lanes)
        request = self._exchange.reset(seeds, lanes, options)
        return self._words.result(self._call(request, beginning=lanes is None))

    def step(self, actions: Any, lanes: Sequence[int] | None = None) -> VectorResult[ObsT]:
        """See `VectorEnvClient`."""
        return self._words.result(self._call(self._exchange.step(actions, lanes)))

    def send_reset(
        self, seeds: Seeds = None, lanes: Sequence[int] | None = None, **options: Any
    ) -> None:
        """See `VectorEnvClient`."""
        self._renewed(lanes)
        self._post(self._exchange.reset(seeds, lanes, options), beginning=lanes is None)

    def send(self, actions: Any, lanes: Sequence[int] | None = None) -> None:
        """See `VectorEnvClient`."""
        self._post(self._exchange.step(actions, lanes))

    def recv(self) -> VectorResult[ObsT]:
        """See `VectorEnvClient`."""
        asked = self._exchange.receive()
        if asked is not None:
            self._post(asked)
        request = self._exchange.next_posted()
        try:
            self._await(self._carrier, request, self.plan.settings.message_timeout_s)
        except BaseException:
            self._exchange.put_back(request)
            raise
        return self._words.result(self._exchange.result(request))

    def state(self, lanes: Sequence[int] | None = None) -> list[StateT]:
        """See `VectorEnvClient`."""
        return self._words.states(self._call(self._exchange.read_state(lanes)))

    def close(self) -> None:
        """See `VectorEnvClient`."""
        try:
            if self._carrier is not None:
                self._part(self._carrier)
        finally:
            carrier, self._carrier = self._carrier, None
            self._exchange.ended()
            if carrier is not None:
                carrier.close()
            self._loop.close()

    def __enter__(self) -> Self:
        try:
            return self.connect()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _part(self, carrier: SyncCarrier) -> None:
        """Let the server close the environments, unless calls are under way that hold it up."""
        is_idle = not self._exchange.is_owed
        farewell = self._exchange.close()
        self._exchange.sent(farewell)
        carrier.send(farewell)
        if is_idle:
            with contextlib.suppress(ReplyTimeoutError):
                self._await(carrier, farewell.id, CLOSE_WAIT_S)
        self._exchange.give_up(farewell.id)

    def _renewed(self, lanes: Sequence[int] | None) -> None:
        """Notice a loss before all lanes are named: after it they may have other numbers."""
        if lanes is None:
            self._connection(beginning=True)

    def _post(self, request: Any, beginning: bool = False) -> None:
        """A request whose reply is left to `recv`."""
        carrier = self._connection(beginning)
        self._exchange.post(request)
        try:
            carrier.send(request)
        except Exception:
            self._exchange.unpost(request.id)
            raise

    def _call(self, request: Any, beginning: bool = False) -> Any:
        """One request and its reply."""
        return self._ask(self._connection(beginning), request)

    def _ask(self, carrier: SyncCarrier, request: Any) -> Any:
        self._exchange.sent(request)
        try:
            carrier.send(request)
            self._await(carrier, request.id, self.plan.settings.message_timeout_s)
        except BaseException:
            cancel = self._exchange.give_up(request.id)
            if cancel is not None:
                carrier.send(cancel)
            raise
        return self._exchange.result(request.id)

    def _await(self, carrier: SyncCarrier | None, request: int, patience: float | None) -> None:
        """Take in replies until that to a request is there; those to others are kept."""
        if self._exchange.has(request):
            return
        assert carrier is not None, "a lost connection leaves no request unanswered"
        deadline, left_s = Deadline(patience), patience
        try:
            while not self._exchange.has(request):
                self._exchange.told(carrier.receive(left_s))
                left_s = deadline.left_s
        except TimeoutError:
            raise ReplyTimeoutError(f"No reply within {patience} s") from None
        except ConnectionLostError as loss:
            self._lose(carrier, loss)

    def _connection(self, beginning: bool = False) -> SyncCarrier:
        """The connection with all lanes open, made or made again where there is none."""
        if self._carrier is not None:
            loss = self._carrier.loss()
            if loss is None:
                return self._carrier
            self._lose(self._carrier, loss)
        self._carrier = self._opened(beginning)
        return self._carrier

    def _opened(self, beginning: bool) -> SyncCarrier:
        request = self._exchange.open(beginning)
        carrier = self._new_carrier()
        carrier.connect(self._exchange.known_session)
        try:
            self._exchange.opened(request, self._ask(carrier, request))
        except BaseException as error:
            carrier.close()
            if not isinstance(error, OpenEnvError) or not self._exchange.bereft(request, error):
                raise
            return self._opened(beginning)
        return carrier

    def _new_carrier(self) -> SyncCarrier:
        if self._ledger is None:
            return self._carrier_with(self._words)
        return RecordedSyncCarrier(self._carrier_with, self._words, self._ledger)

    def _carrier_with(self, words: VectorWords) -> SyncCarrier:
        if self.plan.target is not None:
            return SyncFrames(self.plan.target, words, self._loop)
        # Only who plays here pays for the runtime.
        found = importlib.import_module("openenv_lite.client.env_carrier")
        carrier: SyncCarrier = found.SyncEnvs(self.plan, words, self._loop)
        return carrier

    def _lose(self, carrier: SyncCarrier, loss: ConnectionLostError) -> None:
        """The connection broke; whatever was owed is answered by that."""
        self._exchange.broken(loss)
        self._carrier = None
        carrier.close()
