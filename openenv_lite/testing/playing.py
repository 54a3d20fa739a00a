"""`play` and `dial`: a target by plain calls, for counterexamples and for curious people."""

import functools
import weakref
from types import TracebackType
from typing import Any, Self

import httpx

from openenv_lite.testing.sessions.game import Game
from openenv_lite.testing.sessions.seen import Seen
from openenv_lite.testing.subject import Subject, subject_of

__all__ = ["Dial", "Play", "dial", "play"]


class _Lender:
    """A subject for all who play with it at the same time; it ends with the last of them."""

    def __init__(self) -> None:
        self._subject: Subject | None = None
        self._borrowers = 0

    def open(self, target: Any) -> Game:
        """A session; who has it gives back."""
        self._subject = self._subject or subject_of(target)
        self._borrowers += 1
        try:
            return self._subject.open()
        except BaseException:
            self.give_back()
            raise

    def give_back(self) -> None:
        self._borrowers -= 1
        if self._borrowers == 0 and self._subject is not None:
            self._subject.close()
            self._subject = None


_LENDERS = weakref.WeakKeyDictionary[Any, _Lender]()
"""By app: what it has begun on one event loop it cannot go on with on another."""


def _lender(target: Any) -> _Lender:
    if isinstance(target, str | type | functools.partial):
        return _Lender()
    return _LENDERS.setdefault(target, _Lender())


class Play:
    """A session of its own, and everything it needs; see `Game` for its methods.

    Args:
        target: As `check_environment` takes it.
    """

    def __init__(self, target: Any) -> None:
        self._lender = _lender(target)
        self._game = self._lender.open(target)
        self._is_open = True

    def reset(self, seed: int | None = None, **options: Any) -> Seen:
        """Begin an episode."""
        return self._game.reset(seed, **options)

    def step(self, action: Any) -> Seen:
        """Carry out one action."""
        return self._game.step(action)

    @property
    def raw(self) -> Any:
        """What the author's code returned last; None for a server, which shows no objects."""
        return self._game.raw

    def typed(self, action: Any) -> Any:
        """An action given as plain values as the environment's own type, where that is known."""
        return self._game.typed(action)

    def state(self) -> dict[str, Any]:
        """The inner state."""
        return self._game.state()

    def tools(self) -> list[dict[str, Any]]:
        """The tools there are."""
        return self._game.tools()

    def call_tool(self, name: str, arguments: dict[str, Any]) -> Seen:
        """Call a tool as an action."""
        return self._game.call_tool(name, arguments)

    def snapshot(self) -> bytes:
        """The state of the environment, to be restored here or in another session."""
        return self._game.snapshot()

    def restore(self, saved: bytes) -> None:
        """Go back to a state."""
        self._game.restore(saved)

    def close(self) -> None:
        """End the session; again does nothing."""
        if self._is_open:
            self._is_open = False
            self._game.close()
            self._lender.give_back()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def play(target: Any) -> Play:
    """Open a session of an environment's class, an ASGI app, or a URL."""
    return Play(target)


class Dial:
    """A server, and everything needed to speak to it; see `Wire` for its methods.

    Args:
        target: As `check_environment` takes it; a class is served.
    """

    def __init__(self, target: Any) -> None:
        self._subject = subject_of(target)
        self._wire = self._subject.served().dial(lambda line: None)

    def tell(self, frame: str) -> None:
        """Send a text frame, and wait for nothing."""
        self._wire.tell(frame)

    def say(self, frame: str) -> str:
        """Send a text frame, and return the next that comes back."""
        return self._wire.say(frame)

    def fetch(self, method: str, path: str, **given: Any) -> httpx.Response:
        """One HTTP request."""
        return self._wire.fetch(method, path, **given)

    def close(self) -> None:
        """Hang up."""
        self._wire.close()
        self._subject.close()


def dial(target: Any) -> Dial:
    """A server, to be spoken to in frames and requests of one's own making; a class is served."""
    return Dial(target)
