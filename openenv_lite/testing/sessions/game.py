"""One session under test, played by plain calls, each of which is written down as Python."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, Protocol, TypeVar

from openenv_lite import codec
from openenv_lite.blueprint import Blueprint
from openenv_lite.errors import InvalidJSONError
from openenv_lite.protocol import RESTORE, Phase, decode_action
from openenv_lite.session import Session
from openenv_lite.testing.sessions.seen import Seen, plain
from openenv_lite.types import CallToolAction, ServerMode, StepResult
from openenv_lite.workers import new_id

__all__ = ["ClassGame", "ClassGames", "Game", "Run", "WatchedSession"]

T = TypeVar("T")

Run = Callable[[Coroutine[Any, Any, T]], T]
"""From a coroutine to what it returns, on the event loop of the target."""


_PLAIN = (dict, list, str, int, float, type(None))
"""What an action may be as it comes over the wire, and an author's own type is not."""


class Game(Protocol):
    """What laws play with. Every method raises the typed errors that a client would see."""

    @property
    def raw(self) -> Any:
        """What the author's code returned last, where objects are to be had; else None."""

    def reset(self, seed: int | None = None, **options: Any) -> Seen:
        """Begin an episode."""

    def step(self, action: Any) -> Seen:
        """Carry out one action, given as plain values or as the environment's own type."""

    def typed(self, action: Any) -> Any:
        """An action given as plain values as the environment's own type, where that is known."""

    def state(self) -> dict[str, Any]:
        """The inner state."""

    def tools(self) -> list[dict[str, Any]]:
        """What `list_tools` shows: `name`, `description`, `input_schema` each."""

    def call_tool(self, name: str, arguments: dict[str, Any]) -> Seen:
        """Call a tool as an action."""

    def snapshot(self) -> bytes:
        """The state of the environment, to be restored here or in another session."""

    def restore(self, saved: bytes) -> None:
        """Go back to a state."""

    def close(self) -> None:
        """End the session; again does nothing."""


class WatchedSession(Session):
    """A session that remembers what the author's code returned.

    Attributes:
        raw: From reset or step.
        failed_close: What `close` raised, which nobody is told otherwise.
    """

    raw: Any = None
    failed_close: BaseException | None = None

    @property
    def environment(self) -> Any:
        """The author's object; None before and after its life."""
        return self._environment

    def check(self, saved: bytes) -> None:
        """Read a snapshot as what the author declares, and change nothing.

        Raises:
            ExecutionError: It is of another type.
        """
        self._decoded(self._saving(RESTORE), saved)

    def _conclude(self, observation: Any, following: Phase) -> Any:
        self.raw = observation
        return super()._conclude(observation, following)

    def _reraise(self, member: str, error: BaseException) -> NoReturn:
        if member == "close":
            self.failed_close = error
        super()._reraise(member, error)


class ClassGame:
    """A session of a class, in this process, without a wire.

    Args:
        session: Open.
        action_type: Of the class.
        run: Runs coroutines on the session's event loop.
    """

    def __init__(self, session: WatchedSession, action_type: Any, run: Run[Any]) -> None:
        self.session = session
        self._action_type = action_type
        self._run = run

    @property
    def raw(self) -> Any:
        """See `Game`."""
        return self.session.raw

    def reset(self, seed: int | None = None, **options: Any) -> Seen:
        """See `Game`."""
        given = options if seed is None else {**options, "seed": seed}
        return _seen(self._run(self.session.reset(given)))

    def step(self, action: Any) -> Seen:
        """See `Game`."""
        return _seen(self._run(self.session.step(self.typed(action))))

    def typed(self, action: Any) -> Any:
        """See `Game`."""
        is_plain = isinstance(action, _PLAIN)
        return decode_action(action, self._action_type) if is_plain else action

    def state(self) -> dict[str, Any]:
        """See `Game`."""
        state: dict[str, Any] = plain(self._run(self.session.state()))
        return state

    def tools(self) -> list[dict[str, Any]]:
        """See `Game`."""
        return [codec.to_builtins(each) for each in self.session.list_tools()]

    def call_tool(self, name: str, arguments: dict[str, Any]) -> Seen:
        """See `Game`."""
        return self.step(CallToolAction(tool_name=name, arguments=arguments))

    def snapshot(self) -> bytes:
        """See `Game`."""
        saved: bytes = self._run(self.session.snapshot())
        return saved

    def restore(self, saved: bytes) -> None:
        """See `Game`."""
        self._run(self.session.restore(saved))

    def close(self) -> None:
        """See `Game`."""
        if self.session.is_open:
            self._run(self.session.close())


class ClassGames:
    """Sessions of a class, on an event loop of their own.

    Args:
        blueprint: What is known of it.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        self._blueprint = blueprint
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)

    def open(self, mode: ServerMode = ServerMode.SIMULATION) -> ClassGame:
        """A session of its own."""
        return self.run(self._opened(mode))

    async def _opened(self, mode: ServerMode) -> ClassGame:
        session = WatchedSession(new_id(), self._blueprint, mode)
        try:
            await session.open()
        except BaseException:
            await session.close()
            raise
        return ClassGame(session, self._blueprint.action_type, self.run)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What the coroutine returns."""
        return self._runner.get_loop().run_until_complete(coroutine)

    def close(self) -> None:
        """End the event loop."""
        self._runner.close()


def _seen(result: StepResult[Any]) -> Seen:
    """As a client of a server sees it.

    Raises:
        InvalidJSONError: It cannot be sent.
    """
    try:
        return Seen.of(result)
    except codec.UNSENDABLE as error:
        raise InvalidJSONError(f"The reply cannot be sent as JSON: {error}") from error
