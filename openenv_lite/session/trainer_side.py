"""What a trainer may ask of a leased environment; in production nobody else may.

Calls are serial; each either happened or raised a typed error. Nothing here knows a transport.
"""

import functools
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Annotated, Any, NoReturn

import msgspec
from msgspec import Meta

from openenv_lite import codec
from openenv_lite.blueprint import Operation, Saving
from openenv_lite.environment import Environment
from openenv_lite.errors import SessionClosedError, SnapshotMismatchError
from openenv_lite.executor import SLOW_CALL_S, LoopExecutor, ThreadExecutor
from openenv_lite.life import Life
from openenv_lite.protocol import (
    CLOSED,
    DONE,
    FRESH,
    LIST_TOOLS,
    RESET,
    RESTORE,
    SNAPSHOT,
    STATE,
    STEP,
    Event,
    Phase,
    advance,
)
from openenv_lite.results import READERS
from openenv_lite.snapshots import Moment, moment_of, take_up
from openenv_lite.types import State, StepResult
from openenv_lite.workers import random_id

__all__ = ["TrainerSide"]

_NO_OPTIONS: Mapping[str, Any] = {}


class _Beginning(msgspec.Struct, frozen=True):
    """What every reset may name, whatever the author's own takes."""

    seed: int | None = None
    episode_id: Annotated[str, Meta(max_length=255)] | None = None
    """Of a length that may stand in each line of a recording."""


_UNTOLD = _Beginning()


class TrainerSide(Life):
    """A life whose episodes a trainer plays."""

    async def reset(self, options: Mapping[str, Any] = _NO_OPTIONS) -> StepResult[Any]:
        """Begin an episode; options the author's `reset` does not take are dropped.

        Raises:
            InvalidMessageError: An option does not fit its type.
            ExecutionError: The author's code raised; the episode is then not running.
        """
        if self._blueprint.inline:
            return self.reset_inline(options)
        async with self._turn:
            following = advance(RESET, self.phase)
            accepted = self._prepare_reset(options)
            observation = await self._perform(self._blueprint.reset, **accepted)
            return self._conclude(observation, following)

    def reset_inline(self, options: Mapping[str, Any] = _NO_OPTIONS) -> StepResult[Any]:
        """As `reset`, where `blueprint.inline` says that every call runs on the event loop."""
        following = advance(RESET, self.phase)
        accepted = self._prepare_reset(options)
        observation = self._perform_inline(self._blueprint.reset, **accepted)
        return self._conclude(observation, following)

    def _perform_inline(self, operation: Operation, /, *args: Any, **kwargs: Any) -> Any:
        """As `_perform`, where every call runs on the event loop."""
        assert isinstance(self._executor, LoopExecutor)
        try:
            return self._executor.call(operation.of(self._environment), *args, **kwargs)
        except BaseException as error:  # noqa: BLE001  raised again
            self._reraise(operation.name, error)

    def _prepare_reset(self, options: Mapping[str, Any]) -> dict[str, Any]:
        accepted = self._blueprint.reset.options(options)
        self._begin(codec.convert(dict(options), _Beginning) if options else _UNTOLD)
        self.phase = FRESH
        return accepted

    def _begin(self, beginning: "_Beginning") -> None:
        """Seed and count for the author, whose `reset` may want neither argument."""
        self._counted = State(episode_id=beginning.episode_id or random_id())
        if isinstance(self._environment, Environment):
            self._environment.begin(beginning.seed, self._counted)

    async def step(self, action: Any, options: Mapping[str, Any] = _NO_OPTIONS) -> StepResult[Any]:
        """Carry out one action.

        Raises:
            ResetRequiredError, EpisodeDoneError: The episode is not running; nothing ran.
            ExecutionError: The author's code raised.
        """
        if self._blueprint.inline:
            return self.step_inline(action, options)
        async with self._turn:
            event = self._blueprint.tool_events.get(type(action), STEP)
            following = advance(event, self.phase)
            accepted = self._blueprint.step.options(options) if options else _NO_OPTIONS
            if event is not LIST_TOOLS:
                self._count()
            observation = await self._perform(self._blueprint.step, action, **accepted)
            return self._conclude(observation, following)

    async def step_alone(self, action: Any, options: Mapping[str, Any]) -> StepResult[Any]:
        """An episode of one step, for callers without a session of their own."""
        if type(action) not in self._blueprint.tool_events:
            await self.reset()
        return await self.step(action, options)

    def step_inline(self, action: Any, options: Mapping[str, Any] = _NO_OPTIONS) -> StepResult[Any]:
        """As `step`, where `blueprint.inline` says that every call runs on the event loop.

        Nothing is awaited, so no other call can come between and no turn need be taken.
        """
        began = perf_counter()
        result = self.step_untimed(action, options)
        if perf_counter() - began > SLOW_CALL_S:
            self.report_slow("step", perf_counter() - began)
        return result

    def step_untimed(
        self, action: Any, options: Mapping[str, Any] = _NO_OPTIONS
    ) -> StepResult[Any]:
        """As `step_inline`, for callers who watch the time of many steps: see `report_slow`."""
        following = advance(STEP, self.phase)
        step = self._environment.step
        if options:
            step = functools.partial(step, **self._blueprint.step.options(options))
        self.steps += 1
        self._counted.step_count += 1
        try:
            observation = step(action)
        except BaseException as error:  # noqa: BLE001  raised again
            self._reraise("step", error)
        return self._conclude(observation, following)

    def report_slow(self, name: str, elapsed: float) -> None:
        """Say that a call held the event loop for longer than `SLOW_CALL_S`."""
        if isinstance(self._executor, LoopExecutor):
            self._executor.warn(name, elapsed)

    def _count(self) -> None:
        self.steps += 1
        self._counted.step_count += 1

    def _conclude(self, observation: Any, following: Phase) -> StepResult[Any]:
        try:
            result = READERS[type(observation)](observation)
        except codec.UNSENDABLE as error:
            raise self._failure("observation", error) from error
        if self.phase is CLOSED:
            self._refuse_closed()
        self.phase = DONE if result.done else following
        return result

    def _refuse_closed(self) -> NoReturn:
        raise SessionClosedError("The session was closed while the call was under way")

    async def state(self) -> Any:
        """The inner state as plain values."""
        async with self._turn:
            advance(STATE, self.phase)
            state = await self._perform(self._blueprint.state)
            try:
                return _plain_state(state)
            except codec.UNSENDABLE as error:
                raise self._failure("state", error) from error

    async def metadata(self) -> Any:
        """What `get_metadata` returns."""
        async with self._turn:
            return await self._perform(self._blueprint.metadata)

    async def ask(self, name: str, *args: Any, form: Callable[[Any], bytes]) -> bytes:
        """What the environment tells of its tasks; holds up the event loop in no class that waits.

        Args:
            name: One of `blueprint.tasks`.
            args: Of that method.
            form: From what it returns to what is to be sent.

        Raises:
            NotImplementedError, IndexError: The author raised it, and it is an answer.
            ExecutionError: The author's code failed, or returned what cannot be sent.
        """
        provider = self._blueprint.tasks[name]
        async with self._turn:
            advance(STATE, self.phase)
            method = provider.of(self._environment)
            try:
                if provider.is_async:
                    value = await method(*args)
                    return await self._run_apart(lambda: form(value))
                return await self._run_apart(lambda: form(method(*args)))
            except (NotImplementedError, IndexError):
                raise
            except BaseException as error:  # noqa: BLE001  raised again
                self._reraise(name, error)

    async def _run_apart(self, function: Callable[[], bytes]) -> bytes:
        """Run it on the session's thread; an async class has none, and gets one for this call."""
        is_apart = self.is_threaded or not self._blueprint.may_block
        executor = self._executor if is_apart else ThreadExecutor(self._blueprint.name)
        try:
            done: bytes = await executor.run(function)
            return done
        finally:
            if not is_apart:
                executor.abandon()

    async def snapshot(self) -> bytes:
        """The environment's state as it stands, to be restored here or in another session.

        Raises:
            SnapshotsUnsupportedError: The class defines no snapshots.
            ExecutionError: The author's code raised, or returned what cannot be saved.
        """
        if self._blueprint.inline:
            return self.snapshot_inline()
        async with self._turn:
            saving = self._saving(SNAPSHOT)
            value = await self._perform(saving.snapshot)
            saved: bytes = await self._executor.run(self._encoded, saving, value)
            return saved

    def snapshot_inline(self) -> bytes:
        """As `snapshot`, where `blueprint.inline` says that every call runs on the event loop."""
        saving = self._saving(SNAPSHOT)
        return self._encoded(saving, self._perform_inline(saving.snapshot))

    def _saving(self, event: Event) -> Saving:
        advance(event, self.phase)
        return self._blueprint.saving()

    def _encoded(self, saving: Saving, value: Any) -> bytes:
        if self.phase is CLOSED:
            self._refuse_closed()
        try:
            moment = moment_of(self._environment, self.phase, self._counted)
            return saving.binding.encode(moment, value)
        except Exception as error:  # encoding calls what the author's types define
            raise self._failure("snapshot", error) from error

    async def restore(self, saved: bytes) -> None:
        """Go back to a state, of this session or another of the class; the phase is the saved one.

        Raises:
            SnapshotsUnsupportedError: The class defines no snapshots.
            SnapshotMismatchError: It is of another class or version; nothing has changed.
            ExecutionError: The author's code raised; the episode is then not running.
        """
        if self._blueprint.inline:
            self.restore_inline(saved)
            return
        async with self._turn:
            saving = self._saving(RESTORE)
            moment, value = await self._executor.run(self._decoded, saving, saved)
            self.phase = FRESH
            await self._perform(saving.restore, value)
            self._take_up(moment)

    def restore_inline(self, saved: bytes) -> None:
        """As `restore`, where `blueprint.inline` says that every call runs on the event loop."""
        saving = self._saving(RESTORE)
        moment, value = self._decoded(saving, saved)
        self.phase = FRESH
        self._perform_inline(saving.restore, value)
        self._take_up(moment)

    def _decoded(self, saving: Saving, saved: bytes) -> tuple[Moment, Any]:
        try:
            return saving.binding.decode(saved)
        except SnapshotMismatchError:
            raise
        except Exception as error:  # decoding calls what the author's types define
            raise self._failure("snapshot", error) from error

    def _take_up(self, moment: Moment) -> None:
        if self.phase is CLOSED:
            self._refuse_closed()
        self._counted = take_up(moment, self._environment)
        self.phase = moment.phase


def _plain_state(state: Any) -> Any:
    """A state as an object of plain values, with whatever attributes the author added to it."""
    if state is None:
        return {}
    fields = codec.to_builtins(state)
    if isinstance(state, State):
        return {**fields, **codec.to_builtins(vars(state))}
    return fields
