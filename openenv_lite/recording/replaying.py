"""A recording played again, and where what happens differs from what happened.

Sessions are played as wholes: an episode whose reset had no seed goes on with the generator as the
episode before it left it, so the first seed of a session settles all that follows.
"""

import enum
from collections.abc import AsyncIterator, Awaitable
from typing import Any, NamedTuple, Protocol

from openenv_lite import codec
from openenv_lite.errors import AuthorError, FactoryError, OpenEnvError, RequestError
from openenv_lite.recording.differences import Difference, first_difference
from openenv_lite.recording.events import LOST
from openenv_lite.recording.reading import Story
from openenv_lite.recording.trajectory import Act, Trajectory
from openenv_lite.types import StepResult

__all__ = ["Finding", "Player", "Verdict", "verdicts"]

_UNSEEDED = "recorded without a seed"
_RESTORED = "goes on from a snapshot"
_TORN = "lines are missing from the recording"
_LOST = "what came of an action was not recorded"
_OPTIONS = "a step had options, which only HTTP carries"
_FOLLOWS = "the episode before it differs"
_DEEP = "something in it is too deeply nested"

_HARMLESS = {"timeout_s"}
"""Options of a step that change nothing of what it does."""


class Player(Protocol):
    """A session in which to play; a `GenericEnvClient` is one."""

    async def reset(self, **options: Any) -> StepResult[Any]:
        """Begin an episode."""

    async def step(self, action: Any) -> StepResult[Any]:
        """Carry out one action."""


class Finding(enum.StrEnum):
    """What came of playing an episode again."""

    SAME = "same"
    DIFFERS = "differs"
    UNKNOWN = "not comparable"
    """It differs, or could not be played, for a reason that is no fault of the environment's."""


class Verdict(NamedTuple):
    """What is to be said of one episode."""

    trajectory: Trajectory
    finding: Finding
    reason: str = ""
    """Why it is not comparable."""
    step: int = 0
    """Of the difference; 0 is the reset."""
    difference: Difference | None = None


class _NotPlayableError(Exception):
    """From here on the recording does not tell what was done."""


async def verdicts(story: Story, player: Player) -> AsyncIterator[Verdict]:
    """Play a session again, episode by episode.

    Args:
        story: Of the session.
        player: A session that nobody has played in.

    Raises:
        OpenEnvError: It cannot be played at all: no connection, no environment, no room.
    """
    playing = _Playing(player)
    for trajectory in story.trajectories():
        yield await playing.verdict(trajectory)


class _Playing:
    """One session being played again.

    `_doubt` is why nothing is known of the state in which the next episode begins, if that is so.
    """

    def __init__(self, player: Player) -> None:
        self._player = player
        self._doubt = _UNSEEDED
        self._step = 0

    async def verdict(self, trajectory: Trajectory) -> Verdict:
        """Play one episode, up to the first difference."""
        if trajectory.seed is not None:
            self._doubt = ""
        self._step = 0
        try:
            difference = await self._play(trajectory)
        except (_NotPlayableError, RecursionError) as reason:
            self._doubt = str(reason) if isinstance(reason, _NotPlayableError) else _DEEP
            return Verdict(trajectory, Finding.UNKNOWN, self._doubt)
        if difference is None:
            return Verdict(trajectory, Finding.SAME)
        finding = Finding.UNKNOWN if self._doubt else Finding.DIFFERS
        found = Verdict(trajectory, finding, self._doubt, self._step, difference)
        self._doubt = self._doubt or _FOLLOWS
        return found

    async def _play(self, trajectory: Trajectory) -> Difference | None:
        if trajectory.restored:
            raise _NotPlayableError(_RESTORED)
        if not trajectory.is_whole:
            raise _NotPlayableError(_TORN)
        if trajectory.is_reset and (found := await self._begin(trajectory)) is not None:
            return found
        for act in trajectory.acts:
            self._step += 1
            if (found := await self._act(act)) is not None:
                return found
        return None

    async def _begin(self, trajectory: Trajectory) -> Difference | None:
        options = dict(trajectory.options)
        if trajectory.seed is not None:
            options["seed"] = trajectory.seed
        if trajectory.code in LOST:
            raise _NotPlayableError(_LOST)
        return _compared(_recorded(trajectory), await _outcome(self._player.reset(**options)))

    async def _act(self, act: Act) -> Difference | None:
        if act.code in LOST:
            raise _NotPlayableError(_LOST)
        if act.options.keys() - _HARMLESS:
            raise _NotPlayableError(_OPTIONS)
        return _compared(_recorded(act), await _outcome(self._player.step(act.action)))


class _Told(NamedTuple):
    """What came of a call, as JSON has it; where it failed, the code and all of the error."""

    fields: dict[str, Any]
    code: str = ""
    error: str = "none"


def _recorded(told: Trajectory | Act) -> _Told:
    if told.observation is None:
        return _Told({}, told.code, f"{told.code}: {told.error}")
    names = ("observation", "reward", "done", "truncated", "metadata")
    return _Told({name: getattr(told, name) for name in names})


async def _outcome(call: Awaitable[StepResult[Any]]) -> _Told:
    try:
        result = await call
    except FactoryError:
        raise
    except (RequestError, AuthorError) as error:
        return _Told({}, error.code, f"{error.code}: {error.message}")
    except OpenEnvError as error:
        if type(error) is not OpenEnvError:  # which is what a code that nobody knows becomes
            raise
        code = error.details.get("code", error.code)
        return _Told({}, code, f"{code}: {error.message}")
    fields = {
        "observation": codec.to_builtins(result.observation),
        "reward": None if result.reward is None else float(result.reward),
        "done": result.done,
        "truncated": result.truncated,
        "metadata": codec.to_builtins(result.metadata),
    }
    return _Told(fields)


def _compared(recorded: _Told, played: _Told) -> Difference | None:
    if recorded.code != played.code:
        return Difference("error", recorded.error, played.error)
    return first_difference(recorded.fields, played.fields)
