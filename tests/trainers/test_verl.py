"""The real verl, in the virtual environment of `processes.py`, against servers of this process."""

from pathlib import Path
from typing import Any

import pytest

from openenv_lite import create_app
from tests.server.serving import serving
from tests.trainers.guessing import Guessing, emptied
from tests.trainers.painting import Painting
from tests.trainers.processes import run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

SESSIONS = 8
"""That the server allows: a few more than clients open at once, and far fewer than trajectories."""


@pytest.fixture(scope="module")
def seen(trl_python: Path) -> Any:
    limited = create_app(Guessing, max_concurrent_envs=SESSIONS, queue_timeout_s=10)
    with serving(limited) as guessing, serving(create_app(Painting, blocking=True)) as painting:
        told = run(trl_python, "tests.trainers.with_trl.play_verl", guessing.http, painting.http)
        emptied(guessing)  # it does not wait for sessions to be resumed: all were closed
        emptied(painting)
    return told


def guessed(secret: int, *numbers: int) -> list[float]:
    """The rewards that Guessing gives."""
    rewards: list[float] = []
    for number in numbers:
        rewards.append(0.0 if 1.0 in rewards else 1.0 if number == secret else -0.1)
    return rewards


def test_tools_are_loaded_by_verls_registry_and_shown_with_their_whole_schema(seen: Any) -> None:
    guess, paint = (each["function"] for each in seen["schemas"])
    assert guess == {
        "name": "guess",
        "description": "Guess the number.",
        "parameters": {
            "type": "object",
            "properties": {"number": {"type": "integer"}},
            "required": ["number"],
        },
    }
    fields = paint["parameters"]["properties"]
    assert fields["spot"]["properties"]["x"] == {
        "type": "integer",
        "minimum": 0,
        "exclusiveMaximum": 8,
    }
    assert fields["size"]["type"] == ["integer", "null"]
    assert fields["colour"]["type"] == ["string"]
    assert "array" in fields["note"]["type"]
    assert "$ref" not in str(paint)


def test_verls_tool_agent_plays_an_episode_in_one_session(seen: Any) -> None:
    told = seen["tools"]
    assert told["rewards"] == [*guessed(6, 3, 7, 5, 6, 6), 0.0]
    assert told["reward"] is None
    *_, last = told["asked"]
    answers = [each.partition("<|end|>")[0] for each in last.split("<tool>")[1:]]
    assert answers[:4] == ["It is higher.", "It is lower.", "It is higher.", "That is it."]
    assert "The episode is over" in answers[4]
    assert answers[5] == "Unknown function 'reset'. Available tools: ['guess']"


def test_nothing_of_ours_is_left_in_the_fields_that_verl_sends_on(seen: Any) -> None:
    played = [seen["tools"], seen["loop"], *seen["many"], *seen["loops"]]
    assert {name for told in played for name in told["fields"]} == {"tool_rewards", "turn_scores"}


def test_trajectories_at_once_keep_to_their_own_and_wait_for_each_other(seen: Any) -> None:
    """Also where verl gives all of them the same request id, as it does for determinism."""
    played = [told["rewards"] for told in seen["many"]]
    assert played == [guessed(number % 10, 3, 5) for number in range(24)]
    assert len(played) > SESSIONS


def test_our_loop_begins_ends_and_rewards_an_episode(seen: Any) -> None:
    told = seen["loop"]
    assert told["asked"][0] == "<user>Guess.\n\nThe number is from 0 to 9.<|end|><assistant>"
    assert told["reward"] == 0.9
    assert told["unsaid"] == 1  # the model was not asked again after the end
    played = [told["reward"] for told in seen["loops"]]
    assert played == pytest.approx([sum(guessed(n % 10, 3, 5)) for n in range(24)])


def test_no_reward_and_no_secret_is_in_what_the_model_reads(seen: Any) -> None:
    read = " ".join(" ".join(told["asked"]) for told in (seen["loop"], *seen["many"]))
    assert "reward" not in read
    assert "secret" not in read
    assert "0.1" not in read


def test_a_picture_is_one_of_pils(seen: Any) -> None:
    assert seen["picture"] == ["Done.", [3, 3], [0, 0, 255], 0.0, {}]


def test_tools_that_are_not_there_are_refused_when_they_are_loaded(seen: Any) -> None:
    unknown, unreachable = seen["refused"]
    assert unknown == (
        "ConfigurationError: The environment has no tool 'shout': set `tool` to one of ['guess']"
    )
    assert unreachable.startswith("ConnectionFailedError")


def test_the_readmes_files_and_function_do(seen: Any) -> None:
    assert seen["readme"] == [0.9, 0.9]
