"""Carries the requests of a vector client to environments of this process, with no server.

Requests and replies go once through their encoding all the same: that is quicker than to copy what
they hold type by type, what a trainer keeps cannot be changed by an environment afterwards, and
nothing can differ from what a server would have told.
"""

import asyncio
import math
import sys
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from openenv_lite.batches import (
    Cancel,
    Discard,
    Export,
    Import,
    Refused,
    RequestDecoder,
    Restore,
    Snapshot,
    Step,
    described,
)
from openenv_lite.blueprint import Blueprint
from openenv_lite.client.carriers import Heard
from openenv_lite.client.sync_inprocess import OwnLoop
from openenv_lite.client.vector_plan import VectorPlan
from openenv_lite.client.vector_words import VectorWords
from openenv_lite.errors import ConnectionLostError
from openenv_lite.failures import typed
from openenv_lite.pool import Pool, PoolSettings
from openenv_lite.vector import Vector, encoded

__all__ = ["AsyncEnvs", "SyncEnvs"]

_AT_ONCE = (Step, Snapshot, Restore, Export, Import, Discard)
"""What inline classes answer without an event loop."""

Ended = Callable[[ConnectionLostError], None]


class AsyncEnvs:
    """An `AsyncCarrier` to a pool of its own."""

    def __init__(self, plan: VectorPlan, words: VectorWords) -> None:
        assert plan.env is not None
        blueprint = Blueprint(plan.env)
        self.is_inline = blueprint.inline
        """Whether steps and resets are answered by `pass_on` at once."""
        self._pool = Pool(blueprint, _unlimited(plan.snapshot_key))
        self._vector = Vector(self._pool, plan.mode, seal=words.form.sealed)
        self._mode = plan.mode
        self._words = words
        self._decode = RequestDecoder(
            blueprint.action_type, words.form, plan.mode, control=True
        ).decode
        self._under_way: set[asyncio.Task[None]] = set()

    async def connect(self, heard: Heard, ended: Ended, session: str | None) -> None:
        """See `AsyncCarrier`."""
        self.heard = heard

    async def send(self, request: Any) -> None:
        """See `AsyncCarrier`. Everybody else on the loop has a turn."""
        self.pass_on(request)
        await asyncio.sleep(0)

    @property
    def is_busy(self) -> bool:
        """Whether a request is not answered yet."""
        return not all(task.done() for task in self._under_way)

    def pass_on(self, request: Any) -> None:
        """Answer a request, or begin to; where something has to be awaited, the loop must run.

        Inline classes are stepped at once, so what awaits an answer holds up all that follow.
        """
        if isinstance(request, Cancel):
            self._vector.cancel(request.id)
            return
        frame = self._words.encode(request)
        if self.is_inline and self.is_busy:
            self._follow(self._answer_after([*self._under_way], request.id, frame))
            return
        answer = self._answer(request.id, frame)
        if asyncio.iscoroutine(answer):
            task = self._follow(self._tell_later(request.id, answer))
            task.add_done_callback(lambda _: answer.close())  # it may not have begun
        else:
            self._tell(answer)

    async def close(self) -> None:
        """See `AsyncCarrier`."""
        self._vector.cancel_all()
        for task in self._under_way:
            task.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way)
        await self._pool.aclose()

    def _answer(self, request: int, frame: bytes) -> Any:
        """The reply, or the coroutine that gives it."""
        try:
            return self._vector.answer(self._decode(frame))
        except Exception as error:  # noqa: BLE001  the reply tells it
            return self._refusal(request, error)

    def _follow(self, telling: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(telling)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _answer_after(
        self, before: list[asyncio.Task[None]], request: int, frame: bytes
    ) -> None:
        await asyncio.wait(before)
        answer = self._answer(request, frame)
        if asyncio.iscoroutine(answer):
            await self._tell_later(request, answer)
        else:
            self._tell(answer)

    async def _tell_later(self, request: int, answer: Coroutine[Any, Any, Any]) -> None:
        try:
            reply = await answer
        except Exception as error:  # noqa: BLE001  as in `_answer`
            reply = self._refusal(request, error)
        self._tell(reply)

    def _refusal(self, request: int, error: Exception) -> Refused:
        return Refused(request, described(typed(error, self._mode)))

    def _tell(self, reply: Any) -> None:
        self.heard(self._words.decode(encoded(reply, self._words.form.encode, self._mode)))


def _unlimited(snapshot_key: str | None) -> PoolSettings:
    """Lanes and snapshots as many as there is memory, which is the trainer's own."""
    return PoolSettings(
        max_sessions=sys.maxsize,
        max_snapshots=sys.maxsize,
        max_snapshot_bytes=sys.maxsize,
        max_export_bytes=sys.maxsize,
        snapshot_life_s=math.inf,
        snapshot_key=snapshot_key,
    )


class SyncEnvs:
    """A `SyncCarrier` to the same; steps of an inline class touch no event loop."""

    def __init__(self, plan: VectorPlan, words: VectorWords, loop: OwnLoop) -> None:
        self._inner = AsyncEnvs(plan, words)
        self._loop = loop
        self._replies: deque[Any] = deque()
        self._waiting: asyncio.Event | None = None

    def connect(self, session: str | None) -> None:
        """See `SyncCarrier`."""
        self._inner.heard = self._hear

    def loss(self) -> None:
        """See `SyncCarrier`; there is nothing that could be lost."""

    def send(self, request: Any) -> None:
        """See `SyncCarrier`."""
        if self._inner.is_inline and isinstance(request, _AT_ONCE) and not self._inner.is_busy:
            self._inner.pass_on(request)
        else:
            self._loop.run(self._inner.send(request))

    def receive(self, timeout_s: float | None) -> Any:
        """See `SyncCarrier`."""
        if not self._replies:
            self._loop.run(self._something(timeout_s))
        return self._replies.popleft()

    def close(self) -> None:
        """See `SyncCarrier`."""
        self._loop.run(self._inner.close())

    async def _something(self, timeout_s: float | None) -> None:
        """Wait until there is a reply."""
        self._waiting = asyncio.Event()
        async with asyncio.timeout(timeout_s):
            if not self._replies:
                await self._waiting.wait()

    def _hear(self, reply: Any) -> None:
        self._replies.append(reply)
        if self._waiting is not None:
            self._waiting.set()
