import functools
from typing import Any

import pytest

from openenv_lite.errors import EpisodeDoneError, ResetRequiredError
from openenv_lite.testing.comparing.script import UNSEEN, Script, outcome_of
from openenv_lite.testing.sessions.seen import Seen


class Counter:
    """A session that counts; its episode is over at two."""

    def __init__(self) -> None:
        self.count = 0
        self.closed = False

    def reset(self, seed: int | None) -> Seen:
        self.count = 0
        return self.seen()

    def step(self, amount: int) -> Seen:
        if self.count >= 2:
            raise EpisodeDoneError("over")
        self.count += amount
        return self.seen()

    def seen(self) -> Seen:
        return Seen({"count": self.count}, None, self.count >= 2, False, {})

    def state(self) -> dict[str, Any]:
        return {"episode_id": str(id(self)), "step_count": self.count}

    def close(self) -> None:
        self.closed = True


def played(*calls: tuple[str, tuple[Any, ...]], lost: tuple[int, ...] = ()) -> Script:
    """What a counter shows for these calls; the replies to some are lost."""
    game, script = Counter(), Script()
    for number, (method, arguments) in enumerate(calls):
        seen = outcome_of(functools.partial(getattr(game, method), *arguments))
        script.add(method, arguments, UNSEEN if number in lost else seen)
    return script


RESET, STEP, STATE = ("reset", (0,)), ("step", (1,)), ("state", ())


def test_what_a_session_shows_alone_is_not_refuted() -> None:
    script = played(RESET, STEP, STATE, STEP, STEP)
    assert isinstance(script.calls[-1].seen, EpisodeDoneError)
    assert script.is_over
    assert script.refuted(Counter) is None


@pytest.mark.parametrize("made", [True, False])
def test_a_call_whose_reply_was_lost_may_have_been_made_or_not(made: bool) -> None:
    script = played(RESET, *([STEP] if made else []), STEP, STATE, lost=(1,) if made else ())
    if not made:
        script.calls.insert(1, script.calls[1]._replace(seen=UNSEEN))
    assert script.refuted(Counter) is None


def test_a_call_called_off_may_count_without_having_done_anything() -> None:
    script = played(RESET, STATE)
    script.calls.insert(1, played(RESET, STEP, lost=(1,)).calls[1])
    script.calls[-1].seen["step_count"] += 1
    assert script.refuted(Counter) is None
    script.calls[-1].seen["step_count"] += 1
    assert script.refuted(Counter) is not None


@pytest.mark.parametrize(
    ("place", "seen", "fault"),
    [
        (1, Seen({"count": 2}, None, False, False, {}), "observation.count: 1, then 2"),
        (1, ResetRequiredError("none"), r"then ResetRequiredError \(none\)"),
        (2, {"episode_id": "another", "step_count": 7}, "step_count: 1, then 7"),
    ],
)
def test_the_first_difference_is_told(place: int, seen: Any, fault: str) -> None:
    script = played(RESET, STEP, STATE, STEP)
    script.calls[place] = script.calls[place]._replace(seen=seen)
    told = script.refuted(Counter)
    assert told is not None
    with pytest.raises(AssertionError, match=rf"call {place + 1}, .*{fault}"):
        raise AssertionError(told)


def test_every_session_that_is_alone_is_closed() -> None:
    made: list[Counter] = []

    def alone() -> Counter:
        made.append(Counter())
        return made[-1]

    played(RESET, STEP, STATE, lost=(1,)).refuted(alone)
    assert made
    assert all(each.closed for each in made)


def test_a_copy_goes_its_own_way() -> None:
    script = played(RESET, STEP)
    copy = script.copy()
    copy.add(*STEP, Seen({"count": 2}, None, True, False, {}))
    assert (len(script.calls), script.is_over) == (2, False)
    assert (len(copy.calls), copy.is_over) == (3, True)
