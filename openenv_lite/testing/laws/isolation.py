"""Isolation: what an episode meets is its own, and what is handed over is handed over."""

import random
import sys
from typing import Any

from hypothesis import strategies as st

from openenv_lite.results import result_of
from openenv_lite.testing.comparing.contrast import (
    MOST_ACTIONS,
    Staging,
    by_turns,
    contrast,
    explored,
    here,
    parts_of,
    whole,
)
from openenv_lite.testing.law import Need, Violation, law
from openenv_lite.testing.sessions.elsewhere import HASH_SEEDS
from openenv_lite.testing.sessions.performing import Part
from openenv_lite.testing.sessions.seen import Seen, difference, plain
from openenv_lite.testing.trial import SEEDS, Episode, Player, Trial

__all__ = [
    "actions_are_left_alone",
    "actions_are_not_kept",
    "an_episode_leaves_nothing_behind",
    "global_random_is_left_alone",
    "instances_share_nothing",
    "what_a_caller_changes_is_its_own",
    "what_was_returned_stays_as_it_was",
]

_OBJECTS = (Need.EPISODES, Need.OBJECTS)


@law(
    "The global generators, of `random` and `numpy.random`, are neither drawn from nor seeded.",
    needs=_OBJECTS,
    cause="The environment calls `random.choice(...)`, `numpy.random.seed(...)` or their like, "
    "which act on one generator for the whole process.",
    remedy="Draw from `self.rng`, or from a generator of the instance's own that `reset` makes: "
    "`numpy.random.default_rng(self.rng.getrandbits(64))`.",
)
def global_random_is_left_alone(trial: Trial) -> None:
    """Look at their states before and after an episode, with a seed and without."""
    before = _generators()
    player = trial.open()
    trial.explore(player, trial.draw(st.none() | SEEDS))
    player.close()
    after = _generators()
    for name in before:
        if before[name] != after[name]:
            raise Violation(f"the state of `{name}` has changed")


def _generators() -> dict[str, Any]:
    """The states of the global generators there are, in a form that can be compared."""
    states: dict[str, Any] = {"random": random.getstate()}
    if "numpy.random" in sys.modules:
        kind, numbers, *rest = sys.modules["numpy.random"].get_state()
        states["numpy.random"] = (kind, numbers.tobytes(), *rest)
    return states


@law(
    "Instances share nothing: an episode is the same whatever other instances do and have done.",
    needs=(Need.EPISODES, Need.ELSEWHERE),
    after=("global_random_is_left_alone",),
    check_id="runtime.episode_isolation",
    cause="State is kept on the class, in a global of the module, in a cache, or in the default "
    "value of an argument, `def __init__(self, board=[])`.",
    remedy="Keep state on `self`, made anew in `__init__` or `reset`; copy what a cache gives.",
)
def instances_share_nothing(trial: Trial) -> None:
    """Play an episode first in a process, and then again beside that of another instance."""
    one, other = explored(trial), explored(trial)
    again, beside = whole(1, one), whole(2, other)
    several = trial.subject.offers(Need.SEVERAL)
    crowd = [*whole(0, one), *(by_turns(again, beside) if several else [*beside, *again])]
    play = trial.subject.elsewhere(HASH_SEEDS[0]).play
    outcomes, length = play(crowd), len(one.seen)
    first, second = Staging(play, crowd, 0), Staging(play, crowd, 1)
    if first.episode(outcomes, length) != second.episode(outcomes, length):
        what = "after other instances and beside one"
        contrast(trial, Staging(play, whole(0, one)), second, what)


@law(
    "An episode leaves nothing behind: the next in the same session is as in a new one.",
    after=(
        "instances_share_nothing",
        "reset_succeeds_at_any_time",
        "reset_begins_a_live_episode",
    ),
    check_id="runtime.episode_isolation",
    cause="`reset` does not set everything anew, or does what it should for the first time only.",
    remedy="Let `reset` make the whole state anew, or replace the object that holds it.",
)
def an_episode_leaves_nothing_behind(trial: Trial) -> None:
    """Play an episode in a new session, and after another one in the same session."""
    before, episode = explored(trial), explored(trial)
    play = here(trial)
    parts = [Part(0, "open"), *parts_of(0, before), *parts_of(0, episode), Part(0, "close")]
    alone, after = Staging(play, whole(0, episode)), Staging(play, parts)
    contrast(trial, alone, after, "after another episode")


@law(
    "What was returned stays as it was: no later call changes it.",
    needs=_OBJECTS,
    cause="The environment returns a list, dict or array that it goes on working with, or the same "
    "observation again and again.",
    remedy="Return a copy, `list(self.board)`, or build a new object for each observation.",
)
def what_was_returned_stays_as_it_was(trial: Trial) -> None:
    """Keep every object of an episode and look at all of them at its end."""
    player = trial.open()
    trial.lines.append("kept = []")
    seed = trial.seed()
    episode = Episode(seed, player.reset(seed))
    kept = [_kept(trial, player)]
    for _ in range(trial.draw(st.integers(0, MOST_ACTIONS))):
        if episode.seen[-1].done:
            break
        trial.go_on(player, episode)
        kept.append(_kept(trial, player))
    for number, (seen, raw) in enumerate(zip(episode.seen, kept, strict=True)):
        found = difference(seen, Seen.of(result_of(raw)))
        if found is not None:
            trial.lines.append(f"print(kept[{number}])")
            raise Violation(f"what {_call(number)} returned is another at the end: {found}")


def _kept(trial: Trial, player: Player) -> Any:
    trial.lines.append("kept.append(env.raw)")
    return player.raw


def _call(number: int) -> str:
    return f"step {number}" if number else "the reset"


@law(
    "What a caller does to an observation changes nothing in the environment.",
    needs=_OBJECTS,
    after=("what_was_returned_stays_as_it_was", "instances_share_nothing"),
    cause="The environment returns a list, dict or array that it reads again later.",
    remedy="Return a copy, `list(self.board)`, or what cannot be changed: a tuple, say.",
)
def what_a_caller_changes_is_its_own(trial: Trial) -> None:
    """Play an episode, and again with everything changed that was returned."""
    episode, play = explored(trial), here(trial)
    spoiling = [Part(0, "spoil")] * len(episode.seen)
    parts = [Part(0, "open"), *by_turns(parts_of(0, episode), spoiling), Part(0, "close")]
    what = "after the caller has changed what it was given"
    contrast(trial, Staging(play, whole(0, episode)), Staging(play, parts), what)


@law(
    "A step leaves its action as it was.",
    needs=_OBJECTS,
    cause="`step` sorts, pops from or fills in a list or dict of the action.",
    remedy="Work on a copy, `path = list(action.path)`.",
)
def actions_are_left_alone(trial: Trial) -> None:
    """Look at each action after its step."""
    player = trial.open()
    last = player.reset(trial.seed())
    for number in range(1, trial.draw(st.integers(1, MOST_ACTIONS)) + 1):
        if last.done:
            return
        action = trial.action(player, last)
        typed = player.game.typed(action)
        before = plain(typed)
        trial.lines += [f"action = env.typed({action!r})", "env.step(action)", "print(action)"]
        last = player.game.step(typed)
        found = difference(before, plain(typed))
        if found is not None:
            raise Violation(f"step {number} changes its action: {found}")


@law(
    "What a caller does to an action after its step changes nothing in the environment.",
    needs=_OBJECTS,
    after=("actions_are_left_alone", "instances_share_nothing"),
    cause="The environment keeps a list or dict of the action and reads it again later.",
    remedy="Keep a copy, `self.path = list(action.path)`.",
)
def actions_are_not_kept(trial: Trial) -> None:
    """Play an episode, and again with every action changed after its step."""
    episode, play = explored(trial), here(trial)
    lent = [Part(0, "lend", action) for action in episode.actions]
    parts = [Part(0, "open"), Part(0, "reset", episode.seed), *lent, Part(0, "close")]
    what = "after the caller has changed its actions"
    contrast(trial, Staging(play, whole(0, episode)), Staging(play, parts), what)
