"""Outcomes of many lanes as one reply: a column for what all have, a place for what few have."""

from collections.abc import Callable, Sequence
from typing import Any

from openenv_lite.batches import Results
from openenv_lite.errors import OpenEnvError
from openenv_lite.failures import typed
from openenv_lite.types import ServerMode, StepResult
from openenv_lite.vector.lane import Renewed
from openenv_lite.vector.readiness import Outcome

__all__ = ["encoded", "results_of"]


def results_of(request: int, lanes: list[int], outcomes: Sequence[Outcome]) -> Results[object]:
    """The reply to a request.

    Args:
        request: Its id.
        lanes: Their numbers.
        outcomes: Theirs, in the same order.
    """
    results: Results[object] = Results(request, lanes, [], [], [])
    observations, rewards, done = results.observations, results.rewards, results.done
    for lane, outcome in zip(lanes, outcomes, strict=True):
        if isinstance(outcome, OpenEnvError):
            results.errors[lane] = outcome
            shown = _NOTHING
        else:
            shown = outcome
            if shown.done or shown.metadata or shown.truncated:
                _tell_more(results, lane, shown)
        observations.append(shown.observation)
        rewards.append(shown.reward)
        done.append(shown.done)
    return results


_NOTHING: StepResult[None] = StepResult(None, None, False)
"""What stands in the columns for a lane in error."""


def _tell_more(results: Results[object], lane: int, outcome: StepResult[Any]) -> None:
    if outcome.metadata:
        results.metadata[lane] = outcome.metadata
    if outcome.truncated:
        results.truncated.append(lane)
    if isinstance(outcome, Renewed) and outcome.final is not None:
        results.final[lane] = outcome.final
        if outcome.failure is not None:
            results.errors[lane] = outcome.failure


def encoded(reply: Any, encode: Callable[[Any], bytes], mode: ServerMode) -> bytes:
    """A reply as bytes, with an error in the place of each lane's outcome that cannot be sent.

    Args:
        reply: One of those in `batches`.
        encode: Of its encoding.
        mode: Decides what of an error is told.
    """
    try:
        return encode(reply)
    except Exception:  # encoding calls what the author's types define
        if not isinstance(reply, Results):
            raise
    _repair(reply, encode, mode)
    return encode(reply)


def _repair(results: Results[Any], encode: Callable[[Any], bytes], mode: ServerMode) -> None:
    columns = results.observations, results.rewards, results.done
    sparse = results.metadata, results.final
    for place, lane in enumerate(results.lanes):
        try:
            encode((*(column[place] for column in columns), *(few.get(lane) for few in sparse)))
        except Exception as error:  # noqa: BLE001  encoding calls what the author's types define
            results.observations[place] = results.rewards[place] = None
            results.done[place] = False
            for few in sparse:
                few.pop(lane, None)
            results.truncated = [each for each in results.truncated if each != lane]
            results.errors[lane] = typed(error, mode)
