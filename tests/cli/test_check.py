import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from openenv_lite.cli.commands import cli
from openenv_lite.testing import LAWS

SLIPPERY = """
import random
from openenv_lite import Action, Environment, Observation, State

class Push(Action):
    far: int

class Slippery(Environment[Push, Observation, State]):
    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def reset(self):
        return Observation()

    def step(self, action: Push):
        return Observation(reward=random.SystemRandom().random() if action.far >= 10 else 0.0)
"""


@pytest.fixture
def slippery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"slippery_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(SLIPPERY)
    monkeypatch.syspath_prepend(tmp_path)
    return f"{name}:Slippery"


def check(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["check", *arguments])


def test_a_sound_environment_passes() -> None:
    ended = check("tests.environments:Inline", "--law", "same_seed_same_episode")
    assert ended.exit_code == 0, ended.output
    assert "held" in ended.output


def test_a_broken_one_fails_with_a_table_and_an_account(slippery: str) -> None:
    ended = check(slippery, "--law", "same_seed_same_episode")
    assert ended.exit_code == 1
    assert "broken" in ended.output
    assert "other.step({'far': 10})" in ended.output


def test_verdicts_as_json(slippery: str) -> None:
    ended = check(slippery, "--json", "--law", "same_seed_same_episode")
    (verdict,) = json.loads(ended.stdout)
    assert verdict["verdict"] == "broken"
    assert verdict["actions"] == 1
    assert "play(Slippery)" in verdict["again"]
    assert verdict["remedy"]


def test_a_folder_is_a_target_by_the_app_in_it() -> None:
    ended = check("envs/echo_env", "--json")
    verdicts = {each["law"]: each["verdict"] for each in json.loads(ended.stdout)}
    assert "broken" not in verdicts.values()
    assert verdicts["fitting_arguments_are_taken"] == "held"


def test_the_laws_are_listed() -> None:
    listed = "".join(check("--list").output.split())
    for law in LAWS:
        assert law.group in listed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Missing argument 'TARGET'."),
        (("nowhere_at_all",), "No module 'nowhere_at_all'"),
        (("tests.environments:Inline", "--law", "murphys"), "No law is named murphys"),
        (("tests.environments:Inline", "--actions", "tests.environments:no"), "has no 'no'"),
        (("http://127.0.0.1:9",), "does not answer /schema"),
    ],
)
def test_what_cannot_be_checked_is_refused_in_one_line(
    arguments: tuple[str, ...], said: str
) -> None:
    ended = check(*arguments)
    assert ended.exit_code == 2
    assert said in " ".join(ended.output.split())
