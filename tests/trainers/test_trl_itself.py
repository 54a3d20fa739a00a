"""The real TRL and `transformers`, in a virtual environment of their own."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from openenv_lite import create_app
from tests.client.serving import serve
from tests.trainers.buttons import Buttons
from tests.trainers.processes import run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

GROUP = 4
"""Completions of a prompt."""

SCHEMA = {
    "name": "press",
    "description": "Press a button.",
    "parameters": {
        "type": "object",
        "properties": {
            "button": {"type": "string", "enum": ["left", "right"], "description": "button"}
        },
        "required": ["button"],
    },
}


class Run(NamedTuple):
    """A training: what the trainer tells of it, and what the server saw."""

    told: dict[str, Any]
    pressed: list[str]
    begun: list[int | None]

    @property
    def steps(self) -> list[dict[str, Any]]:
        """What was logged of each step."""
        return [each for each in self.told["logged"] if "loss" in each]


@pytest.fixture(scope="module")
def training(trl_python: Path) -> Run:
    Buttons.pressed.clear()
    Buttons.begun.clear()
    with serve(create_app(Buttons)) as url:
        told = run(trl_python, "tests.trainers.with_trl.train", url)
    return Run(told, [*Buttons.pressed], [*Buttons.begun])


def test_transformers_reads_off_a_method_what_the_tool_says(trl_python: Path) -> None:
    assert run(trl_python, "tests.trainers.with_trl.describe") == "as the schemas say"


def test_the_model_is_shown_the_tools_and_no_control(training: Run) -> None:
    assert training.told["tools"] == [SCHEMA]


def test_tools_are_called_on_the_server_and_a_call_of_a_control_goes_nowhere(training: Run) -> None:
    assert {*training.pressed} == {"left", "right"}
    assert sum(each["tools/failure_frequency"] for each in training.steps) > 0
    assert len(training.begun) == len(training.told["rewards"])


def test_a_group_plays_the_same_row(training: Run) -> None:
    seeds = training.begun
    groups = [seeds[place : place + GROUP] for place in range(0, len(seeds), GROUP)]
    assert all(len({*group}) == 1 for group in groups)
    assert {*seeds} == set(range(6))


def test_the_rewards_are_the_environments(training: Run) -> None:
    rewards = training.told["rewards"]
    size = len(rewards) // len(training.steps)
    batches = [rewards[place : place + size] for place in range(0, len(rewards), size)]
    logged = [each["rewards/Buttons/mean"] for each in training.steps]
    assert logged == pytest.approx([sum(batch) / size for batch in batches])
    assert sum(rewards) == training.pressed.count("right") > 0


def test_the_model_learns(training: Run) -> None:
    assert all(math.isfinite(each["loss"]) and each["grad_norm"] > 0 for each in training.steps)
    assert len(training.told["changed"]) == training.told["parameters"]
