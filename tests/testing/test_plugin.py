"""The pytest plugin, in a pytest of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from openenv_lite.testing import LAWS

ROOT = Path(__file__).parents[2]

SLIPPERY = """
import random
from hypothesis import strategies as st
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

short = st.builds(lambda far: {"far": far}, st.integers(0, 9))
"""


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{folder}", "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "slippery.py").write_text(SLIPPERY)
    return tmp_path


def test_every_law_is_a_test(folder: Path) -> None:
    listed = run(folder, "--collect-only", "--openenv", "slippery:Slippery").stdout
    for law in LAWS:
        assert law.name in listed


def test_a_broken_law_fails_with_its_account(folder: Path) -> None:
    ended = run(folder, "--openenv", "slippery:Slippery")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "1 failed" in ended.stdout
    assert "other.step({'far': 10})" in ended.stdout
    assert "remedy: Draw from `self.rng`" in ended.stdout


def test_laws_can_be_chosen_narrowed_and_left_out(folder: Path) -> None:
    target = ("--openenv", "slippery:Slippery")
    assert run(folder, *target, "--openenv-actions", "slippery:short").returncode == 0
    assert run(folder, *target, "--openenv-skip", "same_seed_same_episode").returncode == 0
    assert "1 failed" in run(folder, *target, "-k", "same_seed_same_episode").stdout


def test_a_target_that_is_none_is_an_error_that_says_so(folder: Path) -> None:
    ended = run(folder, "--openenv", "slippery:Slipery", "-k", "same_seed_same_episode")
    assert ended.returncode == pytest.ExitCode.USAGE_ERROR
    assert "slippery has no 'Slipery'" in ended.stdout + ended.stderr


def test_a_law_that_is_none_cannot_be_left_out(folder: Path) -> None:
    skip = ("--openenv-skip", "same_seed", "-k", "same_seed_same_episode")
    ended = run(folder, "--openenv", "slippery:Slippery", *skip)
    assert "No law is named same_seed" in ended.stdout + ended.stderr


def test_hypothesis_is_loaded_only_when_asked_for(folder: Path) -> None:
    (folder / "test_none.py").write_text(
        "import sys\ndef test_it():\n    assert 'openenv_lite.testing.laws' not in sys.modules\n"
    )
    assert run(folder).returncode == 0
