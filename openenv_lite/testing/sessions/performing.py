"""Calls of sessions as plain values: they can be made again, and by other processes."""

import base64
import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from openenv_lite.errors import OpenEnvError
from openenv_lite.testing.sessions.game import Game
from openenv_lite.testing.sessions.seen import Seen, plain, told
from openenv_lite.testing.sessions.spoiling import spoil

__all__ = ["Outcome", "Part", "name_of", "perform", "stirred", "written"]

Outcome = Any
"""What a part showed: a `Seen` as plain values, `{"error": name}`, or None for nothing."""

_STIRRED = 60
"""Objects of each size, at most."""

_NAMES = ("env", "other", "third", "fourth")


class Part(msgspec.Struct, array_like=True, frozen=True):
    """One call of one session.

    Attributes:
        session: Its number.
        call: `open` or `close`; `reset`, with a seed or None; `step`, with an action; `lend`, a
            step whose action the caller spoils afterwards; `spoil`, of what was returned last;
            `restore`, with a snapshot.
        argument: As the call says.
    """

    session: int
    call: str
    argument: Any = None


def perform(open_game: Callable[[], Game], parts: Sequence[Part]) -> list[Outcome]:
    """Make the calls; what they leave open is closed, and what they spoil is mended."""
    stage = _Stage(open_game)
    memory = stirred()
    try:
        return [stage.make(part) for part in parts]
    finally:
        stage.clear()
        memory.clear()


def stirred() -> list[object]:
    """Memory taken here and there: while it is held, new objects get other ids than before."""
    chance = random.Random()  # the global one is under observation
    counts = {size: chance.randrange(_STIRRED) for size in range(16, 256, 16)}
    sized = [bytes(size) for size, count in counts.items() for _ in range(count)]
    return [*sized, *(object() for _ in range(chance.randrange(_STIRRED)))]


class _Stage:
    """The sessions of one performance."""

    def __init__(self, open_game: Callable[[], Game]) -> None:
        self._open_game = open_game
        self._games: dict[int, Game] = {}
        self._undo: list[Callable[[], None]] = []

    def make(self, part: Part) -> Outcome:
        """Make one call."""
        try:
            seen = getattr(self, f"_{part.call}")(part.session, part.argument)
        except OpenEnvError as error:
            return {"error": type(error).__name__}
        return plain(seen)

    def clear(self) -> None:
        """Close and mend."""
        for undo in reversed(self._undo):
            undo()
        for game in self._games.values():
            game.close()

    def _open(self, session: int, _: None) -> None:
        self._games[session] = self._open_game()

    def _reset(self, session: int, seed: int | None) -> Seen:
        return self._games[session].reset(seed)

    def _step(self, session: int, action: Any) -> Seen:
        return self._games[session].step(action)

    def _lend(self, session: int, action: Any) -> Seen:
        typed = self._games[session].typed(action)
        seen = self._games[session].step(typed)
        self._undo += spoil(typed)
        return seen

    def _spoil(self, session: int, _: None) -> None:
        self._undo += spoil(self._games[session].raw)

    def _restore(self, session: int, saved: bytes | str) -> None:
        """In JSON a snapshot is text."""
        self._games[session].restore(base64.b64decode(saved) if isinstance(saved, str) else saved)

    def _close(self, session: int, _: None) -> None:
        self._games[session].close()


def written(parts: Sequence[Part], outcomes: Sequence[Outcome], expression: str) -> list[str]:
    """The calls as Python.

    Args:
        parts: The calls.
        outcomes: Of each; told in comments.
        expression: Python that names the target.
    """
    return [
        f"{_python(part, expression)}{_comment(outcome)}"
        for part, outcome in zip(parts, outcomes, strict=True)
    ]


def name_of(session: int) -> str:
    """What a session is called in Python."""
    return _NAMES[session] if session < len(_NAMES) else f"env{session}"


def _python(part: Part, expression: str) -> str:
    name, argument = name_of(part.session), part.argument
    if part.call == "open":
        return f"{name} = play({expression})"
    if part.call == "reset":
        return f"{name}.reset({'' if argument is None else f'seed={argument}'})"
    if part.call == "spoil":
        return f"spoil({name}.raw)"
    if part.call == "restore":
        return f"{name}.restore({argument!r})"
    if part.call == "lend":
        return f"lent = {name}.typed({argument!r}); {name}.step(lent); spoil(lent)"
    return f"{name}.step({argument!r})" if part.call == "step" else f"{name}.close()"


def _comment(outcome: Outcome) -> str:
    if outcome is None:
        return ""
    seen = f"raises {outcome['error']}" if "error" in outcome else told(Seen(**outcome))
    return f"  # {seen}"
