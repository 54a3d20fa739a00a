"""A session that is recorded. Where nothing is recorded there is none, so that it costs nothing."""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Mapping
from time import perf_counter
from typing import Any

from openenv_lite.blueprint import Blueprint, Operation
from openenv_lite.content import Outcome as ToolOutcome
from openenv_lite.content import openenv_result
from openenv_lite.context import Channel, Context, InputRequired
from openenv_lite.errors import (
    EpisodeDoneError,
    RequestError,
    ResetRequiredError,
    SessionError,
    ToolFailedError,
)
from openenv_lite.failures import failed_call
from openenv_lite.protocol import DONE, FRESH, LIST_TOOLS, Phase
from openenv_lite.recording.account import Account, Beginning
from openenv_lite.recording.events import (
    About,
    Kind,
    Outcome,
    failure,
    name_of,
    outcome_of,
    seed_and_options,
    text_of,
)
from openenv_lite.recording.recorder import Recorder
from openenv_lite.results import result_of
from openenv_lite.session import Session
from openenv_lite.tools import Tool
from openenv_lite.types import CallToolAction, CallToolObservation, ServerMode, StepResult

__all__ = ["RecordedSession", "recorded_in"]

_NO_OPTIONS: Mapping[str, Any] = {}

_UNTOLD = (RequestError, SessionError, InputRequired)
"""What a reset or step raises where nothing of the author's ran, or only a question came of it."""

_UNTOLD_OF_CALLS = (ResetRequiredError, EpisodeDoneError, SessionError, InputRequired)
"""The same for an agent's calls, whose wrong arguments are part of what happened."""

Tell = Callable[[Outcome, float], None]
"""Told what a call came to, and how many seconds it took."""


class RecordedSession(Session):
    """As `Session`; resets, steps and tool calls are told to a recorder before they return.

    What is refused (a step after the end, an option that does not fit) has not happened, nor has
    what was cancelled before it was its turn. What is looked up (tools, resources, the state)
    changes nothing and is not told.
    """

    def __init__(
        self, recorder: Recorder, session_id: str, blueprint: Blueprint, mode: ServerMode
    ) -> None:
        super().__init__(session_id, blueprint, mode)
        kind = blueprint.kind
        about = About(
            f"{kind.__module__}:{kind.__qualname__}", str(getattr(kind, "VERSION", "")), mode.value
        )
        self._recorder = recorder
        self._account = Account(recorder, session_id, about)
        self._free_since = perf_counter()
        self._called_at = self._free_since
        self._turn_of: asyncio.Task[Any] | None = None
        self._concluded: StepResult[Any] | None = None
        recorder.join()

    async def reset(self, options: Mapping[str, Any] = _NO_OPTIONS) -> StepResult[Any]:
        """See `Session`."""
        if self._blueprint.inline:
            return self.reset_inline(options)
        tell, asked = self._beginning(options), perf_counter()
        try:
            result = await super().reset(options)
        except BaseException as error:
            self._note_failure(error, tell, asked)
            raise
        return self._note(result, tell, asked)

    def reset_inline(self, options: Mapping[str, Any] = _NO_OPTIONS) -> StepResult[Any]:
        """See `Session`."""
        tell, asked = self._beginning(options), perf_counter()
        try:
            result = super().reset_inline(options)
        except BaseException as error:
            self._note_failure(error, tell, asked)
            raise
        return self._note(result, tell, asked)

    async def step(self, action: Any, options: Mapping[str, Any] = _NO_OPTIONS) -> StepResult[Any]:
        """See `Session`."""
        if self._blueprint.inline:
            return self.step_inline(action, options)
        if self._blueprint.tool_events.get(type(action)) is LIST_TOOLS:
            return await super().step(action, options)
        tell, asked = self._acting(action, options), perf_counter()
        try:
            result = await super().step(action, options)
        except BaseException as error:
            self._note_failure(error, tell, asked)
            raise
        return self._note(result, tell, asked)

    def step_untimed(
        self, action: Any, options: Mapping[str, Any] = _NO_OPTIONS
    ) -> StepResult[Any]:
        """See `Session`."""
        tell, asked = self._acting(action, options), perf_counter()
        try:
            result = super().step_untimed(action, options)
        except BaseException as error:
            self._note_failure(error, tell, asked)
            raise
        return self._note(result, tell, asked)

    def use(
        self, tool: Tool, arguments: Mapping[str, Any], channel: Channel
    ) -> ToolOutcome | Coroutine[Any, Any, ToolOutcome]:
        """See `Session`."""
        if not self._calls_inline:
            return super().use(tool, arguments, channel)
        action = _call_of(tool.name, arguments)
        try:
            answer = super().use(tool, arguments, channel)
        except BaseException as error:
            self._note_failed_call(error, tool.name, action)
            raise
        if isinstance(answer, ToolOutcome):
            self._note_call(answer, tool.name, action)
        return answer

    async def _use(self, name: str, arguments: Mapping[str, Any], channel: Channel) -> ToolOutcome:
        action = _call_of(name, arguments)
        try:
            outcome = await super()._use(name, arguments, channel)
        except BaseException as error:
            self._note_failed_call(error, name, action)
            raise
        self._note_call(outcome, name, action)
        return outcome

    def _begin_call(self, channel: Channel) -> Context:
        context = super()._begin_call(channel)
        self._called_at, self._concluded = perf_counter(), None
        self._turn_of = asyncio.current_task()
        return context

    async def _perform(self, operation: Operation, /, *args: Any, **kwargs: Any) -> Any:
        self._turn_of = asyncio.current_task()
        return await super()._perform(operation, *args, **kwargs)

    def _has_happened(self, error: BaseException, untold: tuple[type[BaseException], ...]) -> bool:
        if isinstance(error, asyncio.CancelledError):
            return self._turn_of is asyncio.current_task()
        return not isinstance(error, untold)

    def _conclude(self, observation: Any, following: Phase) -> StepResult[Any]:
        result = self._concluded = super()._conclude(observation, following)
        return result

    async def snapshot(self) -> bytes:
        """See `Session`."""
        if self._blueprint.inline:
            return self.snapshot_inline()
        asked = perf_counter()
        return self._note_saved(await super().snapshot(), asked)

    def snapshot_inline(self) -> bytes:
        """See `Session`."""
        asked = perf_counter()
        return self._note_saved(super().snapshot_inline(), asked)

    def _note_saved(self, saved: bytes, asked: float) -> bytes:
        self._account.save(name_of(saved), self._seconds_since(asked))
        return saved

    async def restore(self, saved: bytes) -> None:
        """See `Session`."""
        if self._blueprint.inline:
            self.restore_inline(saved)
            return
        asked = perf_counter()
        try:
            await super().restore(saved)
        except BaseException as error:
            self._note_restored(saved, error, asked)
            raise
        self._note_restored(saved, None, asked)

    def restore_inline(self, saved: bytes) -> None:
        """See `Session`."""
        asked = perf_counter()
        try:
            super().restore_inline(saved)
        except BaseException as error:
            self._note_restored(saved, error, asked)
            raise
        self._note_restored(saved, None, asked)

    def _note_restored(self, saved: bytes, error: BaseException | None, asked: float) -> None:
        if error is not None and not self._is_undone_by(error):
            return
        outcome = Outcome(done=self.phase is DONE) if error is None else failure(error)
        episode = self._counted.episode_id or self.id
        self._account.restore(name_of(saved), episode, outcome, self._seconds_since(asked))

    def _is_undone_by(self, error: BaseException) -> bool:
        """Whether a restore that failed has ended the episode; what cannot be read ends none."""
        return self.phase is FRESH and self._has_happened(error, _UNTOLD)

    async def close(self) -> None:
        """See `Session`."""
        try:
            await super().close()
        finally:
            self._account.leave()
            self._recorder.leave()

    def _beginning(self, options: Mapping[str, Any]) -> Tell:
        """What tells of a reset; options are read now, before the author's code can change them."""
        seed, others = seed_and_options(options)

        def tell(outcome: Outcome, seconds: float) -> None:
            episode = self._counted.episode_id or self.id
            self._account.begin(Beginning(episode, seed, others), outcome, seconds)

        return tell

    def _acting(self, action: Any, options: Mapping[str, Any]) -> Tell:
        text, others = text_of(action), text_of(options) if options else ""
        return lambda outcome, seconds: self._account.act(Kind.STEP, text, outcome, seconds, others)

    def _note(self, result: StepResult[Any], tell: Tell, asked: float) -> StepResult[Any]:
        tell(outcome_of(result), self._seconds_since(asked))
        return result

    def _note_failure(self, error: BaseException, tell: Tell, asked: float) -> None:
        if self._has_happened(error, _UNTOLD):
            tell(failure(error), self._seconds_since(asked))

    def _seconds_since(self, asked: float) -> float:
        """How long a call took from when it was its turn: calls are serial."""
        began, self._free_since = max(asked, self._free_since), perf_counter()
        return self._free_since - began

    def _note_call(self, outcome: ToolOutcome, name: str, action: str) -> None:
        """Told as the step it would be for a trainer, or was."""
        result = self._concluded
        if result is None:
            told = CallToolObservation(tool_name=name, result=openenv_result(outcome))
            result = result_of(told)
        self._note_act(action, outcome_of(result))

    def _note_failed_call(self, error: BaseException, name: str, action: str) -> None:
        if not self._has_happened(error, _UNTOLD_OF_CALLS):
            return
        told = failure(error)
        if isinstance(error, RequestError | ToolFailedError):
            result = self._concluded or result_of(failed_call(name, error))
            told = outcome_of(result)._replace(code=told.code, error=told.error)
        self._note_act(action, told)

    def _note_act(self, action: str, outcome: Outcome) -> None:
        seconds = self._seconds_since(self._called_at)
        self._account.act(Kind.CALL, action, outcome, seconds)


def _call_of(name: str, arguments: Mapping[str, Any]) -> str:
    """A tool call as the action that it is."""
    return text_of(CallToolAction(tool_name=name, arguments=dict(arguments)))


def recorded_in(folder: str, name: str) -> Callable[..., RecordedSession]:
    """What a pool makes sessions with that are recorded, all of them in one new file.

    Raises:
        ConfigurationError: No files can be made in the folder.
    """
    return functools.partial(RecordedSession, Recorder.in_folder(folder, name))
