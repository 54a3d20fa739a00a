"""What a recording is made of: one event a line, as JSON, with the same keys on each.

What differs from environment to environment stands as JSON text within the line. So every line has
the same columns of the same types, and whatever reads tables reads any recording.
"""

import enum
import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import msgspec

from openenv_lite import codec
from openenv_lite.errors import (
    CallCancelledError,
    CapacityError,
    ExecutionError,
    FactoryError,
    OpenEnvError,
    RequestError,
    SessionError,
    TransportError,
)
from openenv_lite.types import StepResult

__all__ = [
    "LOST",
    "About",
    "Event",
    "Kind",
    "Outcome",
    "failure",
    "is_refusal",
    "name_of",
    "outcome_of",
    "seed_and_options",
    "text_of",
]

LOST = frozenset({CallCancelledError.code, TransportError.code})
"""Codes of calls of which nobody knows how far they went."""

_REFUSALS = (RequestError, SessionError, CapacityError, FactoryError)

_INT64 = 2**63

Number = Annotated[int, msgspec.Meta(ge=-_INT64, le=_INT64 - 1)]
"""What fits a column."""


class Kind(enum.StrEnum):
    """What happened."""

    BEGIN = "begin"
    """An episode began: by a reset, or, where `observation` is empty and there is no error, by the
    first call in a session that nobody resets."""
    STEP = "step"
    """A trainer's action."""
    CALL = "call"
    """An agent's tool call over MCP, written as the action and observation that it would be in a
    step."""
    SNAPSHOT = "snapshot"
    """The state was saved."""
    RESTORE = "restore"
    """A saved state took the place of the session's: what follows is an episode that began
    elsewhere."""
    END = "end"
    """The episode is over: `done`, or else left before its end."""


class Event(msgspec.Struct, kw_only=True):
    """One line. Fields that say nothing of an event are empty."""

    event: Kind
    session: str
    episode: str
    """Id of the episode, as the environment's state has it."""
    step: Number
    """How many actions there were by now, since the episode began or was restored."""
    time: float
    """When it was over: seconds since 1970, UTC."""
    seconds: float = 0.0
    """How long it took."""
    environment: str = ""
    """`module:Class`, or a server's URL; of a begin or restore, as are the next four."""
    version: str = ""
    mode: str = ""
    seed: Number | None = None
    options: str = ""
    """JSON object of what else the reset, or the step, was told."""
    action: str = ""
    """JSON."""
    observation: str = ""
    """JSON."""
    reward: float | None = None
    done: bool = False
    truncated: bool = False
    metadata: str = ""
    """JSON object."""
    code: str = ""
    """Of the error, as on the wire."""
    error: str = ""
    """What was raised, in full, as a log tells it."""
    snapshot: str = ""
    """Names what was saved, or restored: equal where the states are."""


class About(NamedTuple):
    """What is the same for all episodes of a session."""

    environment: str
    version: str = ""
    mode: str = ""


class Outcome(NamedTuple):
    """What a call came to."""

    observation: str = ""
    reward: float | None = None
    done: bool = False
    truncated: bool = False
    metadata: str = ""
    code: str = ""
    error: str = ""


def outcome_of(result: StepResult[Any]) -> Outcome:
    """What an environment gave, encoded at once: it may change what it gave."""
    try:
        return Outcome(
            observation=_encoded(result.observation),
            reward=None if result.reward is None else float(result.reward),
            done=bool(result.done),
            truncated=bool(result.truncated),
            metadata=_encoded(result.metadata) if result.metadata else "",
        )
    except Exception as error:  # noqa: BLE001  encoding calls what the author's types define
        return Outcome(done=bool(result.done), code=ExecutionError.code, error=_told(error))


def failure(error: BaseException) -> Outcome:
    """What was raised instead; of an error of ours, what it was made from."""
    code = error.code if isinstance(error, OpenEnvError) else CallCancelledError.code
    cause = error.__cause__
    return Outcome(code=code, error=_told(error if cause is None else cause))


def is_refusal(error: OpenEnvError) -> bool:
    """Whether a server says that nothing of the author's ran."""
    return isinstance(error, _REFUSALS) and error.code not in LOST


def text_of(value: Any) -> str:
    """What an environment is told, as JSON text; empty where that cannot be."""
    try:
        return _encoded(value)
    except Exception:  # noqa: BLE001  encoding calls what the author's types define
        return ""


def _encoded(value: Any) -> str:
    return codec.encode(value).decode()


def name_of(snapshot: bytes) -> str:
    """What a snapshot is called here: the same wherever it is the same, and no way to it."""
    return hashlib.blake2b(snapshot, digest_size=16).hexdigest()


def seed_and_options(given: Mapping[str, Any]) -> tuple[int | None, str]:
    """What a reset was told, the seed apart; a Boolean or more than 64 bits fit no column."""
    seed = given.get("seed")
    if isinstance(seed, bool) or not isinstance(seed, int) or not -_INT64 <= seed < _INT64:
        return None, text_of(given) if given else ""
    others = {name: value for name, value in given.items() if name != "seed"}
    return seed, text_of(others) if others else ""


def _told(error: BaseException) -> str:
    # It may quote what is not UTF-8, which no line could carry.
    return f"{type(error).__name__}: {error}".encode(errors="replace").decode()
