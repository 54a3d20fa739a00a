"""One lane: a session, and what follows the end of its episodes."""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from openenv_lite.batches import Autoreset
from openenv_lite.errors import InvalidMessageError, OpenEnvError
from openenv_lite.protocol import DONE
from openenv_lite.session import Session
from openenv_lite.types import StepResult

__all__ = ["Lane", "Renewed", "Seal", "check_one_each"]

T = TypeVar("T")

_SAME_STEP, _NEXT_STEP = Autoreset.SAME_STEP, Autoreset.NEXT_STEP

Seal = Callable[[Any], Any]
"""From an observation to what the author's code cannot change any more: encoded, or a copy."""

Keep = Callable[[bytes], str]
"""From a snapshot to the handle under which it is kept."""


class Renewed(StepResult[Any]):
    """A step that ended an episode and began the next one, whose observation it carries.

    Attributes:
        final: What the step itself gave.
        failure: Why the next episode could not begin; then there is no observation.
    """

    final: StepResult[Any] | None = None
    failure: OpenEnvError | None = None


class Lane:
    """A session whose calls come in order, each with the reset that its autoreset wants.

    What has to be awaited is for `begin`, and is sealed already. The `_inline` twins are for
    sessions whose every call runs on the event loop; whoever calls them watches how long that
    takes. What they return can be told before the next call, or else be `sealed`.

    Args:
        session: The environment.
        autoreset: What follows the end of an episode.
        seal: Applied to what the author's code could still change.

    Attributes:
        session: As above.
        turn: Lock that keeps what was begun in order.
    """

    def __init__(self, session: Session, autoreset: Autoreset, seal: Seal) -> None:
        self.session = session
        self._autoreset = autoreset
        self._seal = seal
        self.turn = asyncio.Lock()
        self._under_way: asyncio.Task[Any] | None = None
        """Whose turn it is, or was last."""
        # Decided once: a step is by far the most frequent call.
        is_plain = autoreset is Autoreset.DISABLED
        self.step_inline = session.step_untimed if is_plain else self._step_inline
        self.reset_inline = session.reset_inline
        self.restore_inline = session.restore_inline

    def _step_inline(self, action: Any) -> StepResult[Any]:
        session = self.session
        if session.phase is DONE and self._autoreset is _NEXT_STEP:
            return _begun(session.reset_inline())
        result = session.step_untimed(action)
        if result.done and self._autoreset is _SAME_STEP:
            last = self.sealed(result)
            try:
                return _renewed(last, session.reset_inline())
            except OpenEnvError as error:
                return _ended(last, error)
        return result

    def begin(self, call: Callable[..., Coroutine[Any, Any, T]], *move: Any) -> "asyncio.Future[T]":
        """Make a call when it is its turn; to cancel what is returned is to call it off.

        What has begun on a thread cannot be stopped. So whoever calls it off goes away alone, and
        the call comes to its end: the episode is then where the environment is.
        """
        made = asyncio.create_task(self._in_turn(call, move))
        if not self.session.is_threaded:
            return made
        told = asyncio.shield(made)
        told.add_done_callback(functools.partial(self._call_off, made))
        return told

    async def _in_turn(self, call: Callable[..., Coroutine[Any, Any, T]], move: Sequence[Any]) -> T:
        async with self.turn:
            self._under_way = asyncio.current_task()
            return await call(*move)

    def _call_off(self, made: "asyncio.Task[Any]", told: "asyncio.Future[Any]") -> None:
        if told.cancelled() and self._under_way is not made:
            made.cancel()

    async def step(self, action: Any) -> StepResult[Any]:
        """One step.

        Raises:
            OpenEnvError: As `Session.step` and `Session.reset`.
        """
        session = self.session
        if session.phase is DONE and self._autoreset is _NEXT_STEP:
            return _begun(self.sealed(await session.reset()))
        result = self.sealed(await session.step(action))
        if result.done and self._autoreset is _SAME_STEP:
            try:
                return _renewed(result, self.sealed(await session.reset()))
            except OpenEnvError as error:
                return _ended(result, error)
        return result

    async def reset(self, options: Mapping[str, Any]) -> StepResult[Any]:
        """Begin an episode.

        Raises:
            OpenEnvError: As `Session.reset`.
        """
        return self.sealed(await self.session.reset(options))

    async def state(self) -> Any:
        """The inner state.

        Raises:
            OpenEnvError: As `Session.state`.
        """
        return self._seal(await self.session.state())

    def snapshot_inline(self, keep: Keep) -> str:
        """The handle of the lane's state as it stands.

        Raises:
            OpenEnvError: As `Session.snapshot`, and as `keep`.
        """
        return keep(self.session.snapshot_inline())

    async def snapshot(self, keep: Keep) -> str:
        """The handle of the lane's state as it stands.

        Raises:
            OpenEnvError: As `Session.snapshot`, and as `keep`.
        """
        return keep(await self.session.snapshot())

    async def restore(self, saved: bytes) -> None:
        """Put the lane back to a state.

        Raises:
            OpenEnvError: As `Session.restore`.
        """
        await self.session.restore(saved)

    def sealed(self, result: StepResult[Any]) -> StepResult[Any]:
        """The result, safe from what the author's code does next."""
        result.observation = self._seal(result.observation)
        if result.metadata:
            result.metadata = self._seal(result.metadata)
        return result


def check_one_each(given: Sequence[Any], each: Sequence[Any], what: str, of: str = "lanes") -> None:
    """Refuse a request that has more or less of something than lanes, or whatever it is for.

    Raises:
        InvalidMessageError: It has.
    """
    if len(given) != len(each):
        raise InvalidMessageError(f"{len(given)} {what} for {len(each)} {of}: send one for each")


def _begun(result: StepResult[Any]) -> StepResult[Any]:
    """A reset in the place of a step, of which a trainer expects a number."""
    if result.reward is None:
        result.reward = 0.0
    return result


def _renewed(last: StepResult[Any], first: StepResult[Any]) -> Renewed:
    kept = first.observation, last.reward, True, first.metadata, last.truncated
    return Renewed(*kept, final=last)


def _ended(last: StepResult[Any], failure: OpenEnvError) -> Renewed:
    """A step that ended an episode after which none could begin; what it gave is told as well."""
    return Renewed(None, last.reward, True, {}, last.truncated, final=last, failure=failure)
