"""What a call in progress can tell its client, and ask it.

A tool, resource or prompt gets it as a parameter annotated `Context`, which the model does not
see; it is `self.context` of the environment as well.
"""

import asyncio
import contextlib
import contextvars
import itertools
from collections.abc import Awaitable, Iterable, Iterator, Mapping
from typing import Any, Literal, Protocol, TypeVar, get_args

import msgspec

from openenv_lite import codec
from openenv_lite.content import present
from openenv_lite.errors import CapabilityError, ConfigurationError
from openenv_lite.questions import (
    Elicit,
    Elicited,
    ElicitURL,
    Question,
    Root,
    Roots,
    Sample,
    Sampled,
)

__all__ = [
    "IN_PROGRESS",
    "LOG_LEVELS",
    "NOBODY",
    "SILENT",
    "Allowance",
    "Channel",
    "Context",
    "Elicit",
    "ElicitURL",
    "Elicited",
    "InputRequired",
    "LogLevel",
    "Question",
    "Root",
    "Roots",
    "Sample",
    "Sampled",
    "asked_in",
]

T = TypeVar("T")

LogLevel = Literal["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]
LOG_LEVELS: tuple[LogLevel, ...] = get_args(LogLevel)
"""From the least severe to the most."""


class InputRequired(BaseException):
    """Ends a call that cannot go on without answers; with them it is made again from its start.

    A `BaseException`, so that an author's `except Exception` lets it pass.
    """

    def __init__(self, questions: Mapping[str, Question]) -> None:
        super().__init__(f"Input required: {', '.join(questions)}")
        self.questions = questions


def asked_in(error: BaseException) -> InputRequired | None:
    """What a call asks that ends with this; several tasks of a group may ask side by side."""
    if isinstance(error, InputRequired):
        return error
    if not isinstance(error, BaseExceptionGroup):
        return None
    parts = [asked_in(each) for each in error.exceptions]
    if not all(parts):
        return None
    merged = [each.questions.items() for each in parts if each is not None]
    return InputRequired(dict(itertools.chain(*merged)))


class Channel(Protocol):
    """Carries a context's words to the peer whose call is in progress."""

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """What the client declared."""

    @property
    def wants_progress(self) -> bool:
        """Whether the call asked for its progress."""

    def wants_log(self, level: LogLevel) -> bool:
        """Whether the client listens to this level."""

    def notify(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification, from any thread; never blocks, never raises.

        The channel adds what ties it to the call, such as the progress token.
        """

    async def ask(self, questions: Mapping[str, Question]) -> Mapping[str, Any]:
        """The raw MCP results by key, all of them.

        Raises:
            CapabilityError: The client declared that it cannot give one.
            InputRequired: They will only be there when the call is made again.
        """

    def leave(self) -> None:
        """Close the client's stream, which it will resume."""


class _Silence:
    """Nobody listens."""

    capabilities: Mapping[str, Any] = {}
    wants_progress = False

    def wants_log(self, level: LogLevel) -> bool:
        return False

    def notify(self, method: str, params: dict[str, Any]) -> None:
        """Nothing is sent."""

    async def ask(self, questions: Mapping[str, Question]) -> Mapping[str, Any]:
        raise _lacking(questions.values())

    def leave(self) -> None:
        """There is no stream."""


SILENT: Channel = _Silence()
"""Where nobody listens, as in a trainer's step."""


class Context(msgspec.Struct, eq=False):
    """The call in progress, as its author sees it. One a call, made from where its words go."""

    _channel: Channel = SILENT
    _asked: int = 0
    _allowance: "Allowance | None" = None

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """What the client declared that it can do."""
        return self._channel.capabilities

    def supports(self, name: str) -> bool:
        """Whether the client can do it: `"sampling"`, `"elicitation"`, `"elicitation.url"`."""
        needed: dict[str, Any] = {}
        for step in reversed(name.split(".")):
            needed = {step: needed}
        return _has(self.capabilities, needed)

    def progress(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Tell how far the call is; each time with a larger number. From any thread."""
        if self._channel.wants_progress:
            params = present(progress=progress, total=total, message=message)
            self._channel.notify("notifications/progress", params)

    def log(self, data: Any, level: LogLevel = "info", logger: str | None = None) -> None:
        """Tell the client's log something: text, or any value JSON can carry. From any thread."""
        if level not in LOG_LEVELS:
            raise ConfigurationError(f"No log level {level!r}; use one of {', '.join(LOG_LEVELS)}")
        if self._channel.wants_log(level):
            params = {**present(level=level, logger=logger), "data": _sendable(data)}
            self._channel.notify("notifications/message", params)

    def disconnect(self) -> None:
        """Close the client's stream, where it can resume it; the call goes on."""
        self._channel.leave()

    async def ask(self, **questions: Question) -> dict[str, Any]:
        """Ask the client several things at once; the answers stand under the same keys.

        Up to revision 2025-11-25 the call waits here. On 2026-07-28 it ends with the questions, and
        is made again from its start once the answers are there; so ask before you act, and ask the
        same in the same order.

        Raises:
            CapabilityError: The client declared that it cannot.
            InvalidAnswerError: An answer does not fit its question.
        """
        with self._allowance.paused() if self._allowance else contextlib.nullcontext():
            results = await self._channel.ask(questions)
        return {key: question.read(results[key]) for key, question in questions.items()}

    async def elicit(self, message: str, schema: type | dict[str, Any]) -> Elicited:
        """Show the person a form and wait for what they enter; see `Elicit`."""
        answer: Elicited = await self._ask_one(Elicit(message, schema))
        return answer

    async def elicit_url(self, message: str, url: str) -> Elicited:
        """Send the person to a page; see `ElicitURL`."""
        answer: Elicited = await self._ask_one(ElicitURL(message, url))
        return answer

    async def sample(self, messages: Any, max_tokens: int = 1000, **options: Any) -> Sampled:
        """Have the client's model write something; `options` are those of `Sample`."""
        answer: Sampled = await self._ask_one(Sample(messages, max_tokens, **options))
        return answer

    async def roots(self) -> list[Root]:
        """The directories that the client works in."""
        answer: list[Root] = await self._ask_one(Roots())
        return answer

    async def _ask_one(self, question: Question) -> Any:
        self._asked += 1
        key = str(self._asked)
        return (await self.ask(**{key: question}))[key]

    def allow(self, seconds: float) -> "Allowance":
        """Set the time that the call may take; its waits for the client do not count."""
        self._allowance = Allowance(seconds)
        return self._allowance


NOBODY = Context()
"""Of no call: nobody listens."""

IN_PROGRESS: contextvars.ContextVar[Context] = contextvars.ContextVar("IN_PROGRESS", default=NOBODY)
"""The call that a task or thread works for. What goes on after its call's end, when the environment
serves somebody else already, speaks into the void and not to the newcomer."""


class Allowance:
    """Seconds that an async call may take. Create it on the event loop."""

    def __init__(self, seconds: float) -> None:
        self._timeout = asyncio.timeout(seconds)
        self._is_running = False
        self._waits = 0
        self._left_s = 0.0

    @property
    def is_spent(self) -> bool:
        """Whether the time ran out; a `TimeoutError` may also be the call's own."""
        return self._timeout.expired()

    async def spend(self, call: Awaitable[T]) -> T:
        """Await the call.

        Raises:
            TimeoutError: The time ran out.
        """
        self._is_running = True
        try:
            async with self._timeout:
                return await call
        finally:
            self._is_running = False

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """While inside, no time runs; several may be inside at once."""
        clock = asyncio.get_running_loop().time
        self._waits += 1
        if self._waits == 1 and self._can_change:
            self._left_s = (self._timeout.when() or 0.0) - clock()
            self._timeout.reschedule(None)
        try:
            yield
        finally:
            self._waits -= 1
            if self._waits == 0 and self._can_change:
                self._timeout.reschedule(clock() + self._left_s)

    @property
    def _can_change(self) -> bool:
        return self._is_running and not self.is_spent


def _has(declared: Any, needed: Mapping[str, Any]) -> bool:
    """Whether a client's declaration holds what is needed, level by level."""
    for name, inner in needed.items():
        found = declared.get(name) if isinstance(declared, Mapping) else None
        if found is None or not _has(found, inner):
            return False
    return True


def _lacking(questions: Iterable[Question]) -> CapabilityError:
    needed: dict[str, Any] = {}
    for question in questions:
        for name, inner in question.needs().items():
            needed[name] = {**needed.get(name, {}), **inner}
    names = ", ".join(needed) or "nothing"
    return CapabilityError(
        f"The client declared no capability for: {names}", requiredCapabilities=needed
    )


def _sendable(data: Any) -> Any:
    """Plain values; what JSON cannot carry is shown as Python shows it."""
    try:
        plain = codec.to_builtins(data)
        codec.encode(plain)
    except codec.UNSENDABLE:
        return repr(data)
    return plain
