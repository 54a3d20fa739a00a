"""NeMo-RL's rollouts, with its published interface, PyTorch and Ray, against a server of ours."""

from pathlib import Path
from typing import Any

import pytest

from openenv_lite import create_app
from tests.server.serving import serving
from tests.trainers.guessing import Guessing, emptied
from tests.trainers.processes import run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def seen(trl_python: Path) -> Any:
    with serving(create_app(Guessing)) as server:
        told = run(trl_python, "tests.trainers.with_trl.play_nemo_rl", server.http)
        emptied(server)  # it does not wait for sessions to be resumed: all were closed
    return told


def test_what_is_published_can_be_called(seen: Any) -> None:
    assert seen["signatures"] == [True, True]


def test_rows_that_share_their_metadata_are_episodes_of_their_own(seen: Any) -> None:
    played = seen["upwards"]
    assert played["steps"] == [[-0.1] * 4, [-0.1] * 4, [1.0, 1.0, 1.0, -0.1], [-0.1], [1.0]]
    assert played["total"] == [0.8, 0.8, 0.8, 0.6]


def test_the_same_where_no_server_is(seen: Any) -> None:
    assert seen["here"]["steps"] == [[-0.1], [1.0]]


def test_a_prompt_tells_of_the_tools_and_what_is_seen_first(seen: Any) -> None:
    system, user = seen["prompt"]
    assert '"name":"guess"' in system["content"]
    assert user["content"] == "Guess.\n\nThe number is from 0 to 9."


def test_the_model_is_told_what_it_did_wrong_and_goes_on(seen: Any) -> None:
    played = seen["clumsily"]
    assert played["steps"] == [[0.0], [0.0], [0.0], [-0.3], [1.0]]
    silent, mistyped, control, thrice, hit = played["texts"][0]
    assert "There is no tool call." in silent
    assert "Expected `int`" in mistyped
    assert "Unknown tool: 'reset'" in control
    assert thrice.count("It is higher.") == 3
    assert hit == "<<tool_response>\nThat is it.\n</tool_response>>"  # and no second guess


def test_nothing_for_the_trainer_is_shown_to_the_model(seen: Any) -> None:
    texts = [*seen["upwards"]["texts"], *seen["clumsily"]["texts"]]
    read = "".join(map("".join, texts)) + "".join(each["content"] for each in seen["prompt"])
    assert "secret" not in read
    assert "reward" not in read


def test_a_conversation_that_begins_again_does_not_go_on_in_the_old_episode(seen: Any) -> None:
    assert seen["cut off"]["steps"] == [[-0.1] * 4] * 2
    assert seen["again"]["steps"] == [[-0.1] * 4]


def test_metrics_are_of_the_batch(seen: Any) -> None:
    is_the_batch, metrics, of_nothing = seen["metrics"]
    assert is_the_batch
    assert metrics == {"mean_reward": pytest.approx(-0.2)}
    assert of_nothing == {}


def test_no_two_conversations_meet_in_an_episode(seen: Any) -> None:
    elsewhere, twice, ended = seen["refused"]
    assert elsewhere.startswith("UnknownSessionError")
    assert twice == "RequestError: Two conversations of a batch are in the same episode"
    assert ended.startswith("UnknownSessionError")


def test_it_is_an_actor_of_ray_as_the_readme_says(seen: Any) -> None:
    end, rewards, terminated = seen["readme"]
    assert end == "Guess!\n\nThe number is from 0 to 9."
    assert rewards == [pytest.approx(-0.1), 1.0]  # seed 7 hides another number than 4
    assert terminated == [False, True]
