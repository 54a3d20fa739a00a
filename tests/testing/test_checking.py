import asyncio
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from openenv_lite import Action, Environment, Observation, State, create_app
from openenv_lite.errors import ConfigurationError
from openenv_lite.testing import LAWS, check_environment
from openenv_lite.testing.law import Law
from openenv_lite.testing.running import Held, Skipped
from tests.environments import Inline
from tests.testing.gallery.lifecycle import CannotBeBuilt

ROOT = Path(__file__).parents[2]


class Push(Action):
    """How far."""

    far: int


class Place(Observation):
    """Where it is now."""

    place: int = 0


class Slippery(Environment[Push, Place, State]):
    """Slips by a generator that nobody seeds, from 10 on."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def reset(self) -> Place:
        self._place, self._ice = 0, random.Random()
        return Place()

    def step(self, action: Push) -> Place:
        slip = self._ice.random() if action.far >= 10 else 0.0
        self._place += action.far
        return Place(place=self._place, reward=slip)


def test_laws_have_one_name_each_and_rest_on_earlier_ones() -> None:
    earlier: set[str] = set()
    for law in LAWS:
        assert law.name not in earlier
        assert {*law.after} <= earlier, f"{law.name} rests on a later law, or on none"
        earlier.add(law.name)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_a_law_says_all_that_a_person_needs(law: Law) -> None:
    for text in (law.says, law.cause, law.remedy):
        assert text.endswith(".")
        assert text[0].isupper() or text[0] == "`"
    assert law.check_id is None or re.fullmatch(r"([a-z]+\.)?[a-z_]+", law.check_id)


def test_a_sound_environment_passes_and_is_told_what_was_left_out() -> None:
    report = check_environment(Inline, skip=["same_seed_same_episode"])
    verdicts = {law.name: verdict for law, verdict in report.verdicts}
    assert report.broken == []
    assert verdicts["same_seed_same_episode"] == Skipped("left out by the caller")
    assert isinstance(verdicts["rewards_are_finite_numbers"], Held)
    assert isinstance(verdicts["fitting_arguments_are_taken"], Skipped)


def test_on_an_event_loop_it_says_where_to_go() -> None:
    async def check() -> None:
        check_environment(Inline)

    with pytest.raises(ConfigurationError, match="event loop runs here"):
        asyncio.run(check())


def test_a_class_that_cannot_be_built_is_broken() -> None:
    with pytest.raises(AssertionError, match="RuntimeError: no GPU here"):
        check_environment(CannotBeBuilt)


def test_an_app_is_a_target_too() -> None:
    assert check_environment(create_app(Inline)).broken == []


def test_a_broken_law_is_told_with_a_play_that_shows_it() -> None:
    with pytest.raises(AssertionError) as failure:
        check_environment(Slippery, laws=["same_seed_same_episode"])
    account = str(failure.value)
    assert "Slippery breaks 1 of the contract's laws." in account
    assert "other.step({'far': 10})" in account
    code = account.partition("again:\n")[2].partition("  likely cause")[0]
    run = subprocess.run(
        [sys.executable, "-c", "\n".join(line[4:] for line in code.splitlines())],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr


def test_the_same_seed_tries_the_same_examples() -> None:
    def account(seed: int) -> str:
        with pytest.raises(AssertionError) as failure:
            check_environment(Slippery, laws=["same_seed_same_episode"], seed=seed)
        return re.sub(r"0\.\d+", "slip", str(failure.value))

    assert account(3) == account(3)


def test_actions_may_be_narrowed() -> None:
    strategies = pytest.importorskip("hypothesis.strategies")
    short = strategies.builds(lambda far: {"far": far}, strategies.integers(0, 9))
    laws = ["same_seed_same_episode"]
    assert not check_environment(Slippery, actions=short, laws=laws).broken
    assert not check_environment(Slippery, actions=lambda seen: short, laws=laws).broken


@pytest.mark.parametrize("where", ["laws", "skip"])
def test_a_law_that_is_none_is_refused(where: str) -> None:
    given: Any = {where: ["murphys"]}
    with pytest.raises(ConfigurationError, match="No law is named murphys"):
        check_environment(Inline, **given)
