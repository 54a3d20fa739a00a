"""Our laws inside the original's validation, which loads them by their entry points."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openenv_lite.testing.laws import LAWS
from tests.interop.processes import ROOT, Fleet, open_fleet

FREE = {
    "runtime.episode_determinism",
    "runtime.episode_isolation",
    "runtime.oracle_containment",
    "runtime.seed_control",
    "runtime.tool_declaration_accuracy",
}
"""What the original names, and has no grader for."""


def graded(python: Path, url: str, *how: str) -> Any:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [str(python), "-m", "tests.interop.original.grade", url, *how]
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.fixture(scope="module")
def servers() -> Iterator[Fleet]:
    with open_fleet(Path(sys.executable), "tests.interop.graded") as fleet:
        yield fleet


@pytest.fixture(scope="module")
def told(original_python: Path, servers: Fleet) -> Any:
    return graded(original_python, servers.urls["sound"], "every")


def test_the_original_loads_a_grader_for_each_check_that_it_lacks(told: Any) -> None:
    assert told["loaded"] == len(FREE)
    assert {each["check_id"] for each in told["named"]} == FREE


def test_a_sound_environment_passes_every_grader(told: Any) -> None:
    for each in [*told["named"], *told["every"]]:
        assert each["status"] in ("pass", "skip"), each
    assert told["verdict"] in ("pass", "warn")


def test_every_law_is_a_grader_under_a_policy_that_knows_it(told: Any) -> None:
    assert [each["check_id"] for each in told["every"]] == sorted(
        f"contract.{law.name}" for law in LAWS
    )
    assert told["own verdict"] in ("pass", "warn")


def test_a_broken_environment_fails_the_grader_of_the_law_it_breaks(
    original_python: Path, servers: Fleet
) -> None:
    told = graded(original_python, servers.urls["unseeded"])
    failed = {each["check_id"]: each for each in told["named"] if each["status"] == "fail"}
    assert [*failed] == ["runtime.episode_determinism"]
    assert "self.rng" in failed["runtime.episode_determinism"]["remediation"]
    assert told["verdict"] == "fail"
