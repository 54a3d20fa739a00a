"""Rewards: what a trainer may rely on."""

import math

from openenv_lite.testing.fitting import whole
from openenv_lite.testing.law import Violation, law
from openenv_lite.testing.sessions.seen import short
from openenv_lite.testing.trial import Trial

__all__ = ["rewards_are_finite_numbers", "rewards_keep_their_bounds"]


@law(
    "A reward is a finite number, or None where a step gives none; never a bool.",
    check_id="runtime.reward_well_formed",
    cause="A comparison is passed on as it is, or a division by zero was caught by a NaN.",
    remedy="Turn it into a float, `float(won)`, and give a number where a division has none.",
)
def rewards_are_finite_numbers(trial: Trial) -> None:
    """Play an episode and look at each reward."""
    player = trial.open()
    episode = trial.explore(player, trial.seed())
    for seen in episode.seen:
        reward = seen.reward
        if reward is not None and (type(reward) not in (int, float) or not math.isfinite(reward)):
            raise Violation(f"the reward is {short(reward)}")


@law(
    "A reward keeps the bounds that the observation's schema gives it.",
    check_id="runtime.reward_well_formed",
    after=("schemas_are_json_schema", "rewards_are_finite_numbers"),
    cause="Bonuses add up to more than the declared range, or a reward is None where the class "
    "promises a number.",
    remedy="Clip or rescale the reward, or declare the range that it really has.",
)
def rewards_keep_their_bounds(trial: Trial) -> None:
    """Play an episode and compare each reward; the rest of the observation is another law's."""
    subject = trial.subject
    episode = trial.explore(trial.open(), trial.seed())
    for seen in episode.seen:
        beside = whole(seen, subject.schemas["observation"])
        if "reward" not in beside:
            continue
        for fault in subject.fitting.faults("observation", {"reward": beside["reward"]}):
            if fault["loc"] == ["reward"]:
                raise Violation(f"the reward: {fault['msg']}")
