"""One episode, as it is read back."""

from typing import Any

import msgspec

from openenv_lite.recording.events import Event, Kind

__all__ = ["Act", "Trajectory", "begun_by", "check"]


class Act(msgspec.Struct, kw_only=True):
    """One action and what came of it."""

    kind: Kind
    """A trainer's step, or an agent's tool call."""
    action: Any
    options: dict[str, Any]
    observation: Any
    """None where the step failed; then there are `code` and `error`."""
    reward: float | None
    done: bool
    truncated: bool
    metadata: dict[str, Any]
    code: str
    error: str
    seconds: float


class Trajectory(msgspec.Struct, kw_only=True):
    """One episode: how it began, and what was done in it.

    From `observation` to `seconds` all is the reset's.
    """

    session: str
    episode: str
    environment: str
    version: str
    mode: str
    seed: int | None
    options: dict[str, Any]
    restored: str
    """The snapshot that it goes on from, where it does; else empty."""
    observation: Any
    reward: float | None
    done: bool
    truncated: bool
    metadata: dict[str, Any]
    code: str
    error: str
    seconds: float
    acts: list[Act] = []
    is_over: bool = False
    """Whether it is known to have ended: a recording that was cut short does not tell."""
    is_whole: bool = True
    """Whether none of its acts are missing."""

    @property
    def total(self) -> float:
        """The return: the sum of all rewards."""
        return sum(act.reward or 0.0 for act in self.acts)

    @property
    def is_reset(self) -> bool:
        """Whether it began by a reset."""
        return not self.restored and (self.observation is not None or bool(self.code))

    def add(self, event: Event) -> None:
        """Take in what happened next."""
        if event.event is Kind.END:
            self.is_over = True
        elif event.event in (Kind.STEP, Kind.CALL):
            self.acts.append(_act(event))
        self.is_whole = self.is_whole and event.step == len(self.acts)


def begun_by(event: Event) -> Trajectory:
    """The episode that an event begins; where that is no beginning, the beginning is missing."""
    is_beginning = event.event in (Kind.BEGIN, Kind.RESTORE)
    told = event if is_beginning else msgspec.structs.replace(event, **_NOTHING)
    return Trajectory(
        session=event.session,
        episode=event.episode,
        environment=event.environment,
        version=event.version,
        mode=event.mode,
        seed=event.seed,
        options=_read(told.options) or {},
        restored=told.snapshot,
        observation=_read(told.observation),
        reward=told.reward,
        done=told.done,
        truncated=told.truncated,
        metadata=_read(told.metadata) or {},
        code=told.code,
        error=told.error,
        seconds=told.seconds,
        is_whole=is_beginning,
    )


_NOTHING: dict[str, Any] = {
    **dict.fromkeys(("options", "snapshot", "observation", "metadata", "code", "error"), ""),
    **dict.fromkeys(("done", "truncated"), False),
    "reward": None,
    "seconds": 0.0,
}


def _act(event: Event) -> Act:
    return Act(
        kind=event.event,
        action=_read(event.action),
        options=_read(event.options) or {},
        observation=_read(event.observation),
        reward=event.reward,
        done=event.done,
        truncated=event.truncated,
        metadata=_read(event.metadata) or {},
        code=event.code,
        error=event.error,
        seconds=event.seconds,
    )


def check(event: Event) -> None:
    """Refuse what is no JSON, or no object where objects belong.

    Raises:
        ValueError, RecursionError: There is such a field.
    """
    for value in (event.action, event.observation):
        _read(value)
    for an_object in (event.options, event.metadata):
        if an_object:
            _read_object(an_object)


def _read(text: str) -> Any:
    return msgspec.json.decode(text) if text else None


_read_object = msgspec.json.Decoder(dict[str, Any]).decode
