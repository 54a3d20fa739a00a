"""`openenv-lite rollout`."""

import random
import re
import string
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from gym_env import environment

from openenv_lite import create_app
from openenv_lite.cli.commands import cli
from openenv_lite.cli.report import mean_and_interval
from openenv_lite.types import ServerMode
from tests.client.serving import serve


def rollout(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["rollout", *arguments])


def trajectories(path: Path) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


def test_the_table_tells_what_the_episodes_came_to() -> None:
    result = rollout("gym_env", "--episodes", "30")
    assert result.exit_code == 0
    for row in ("episodes │ 30", "return   │ -0", "length   │ 1.", "failures │ 0"):
        assert row in result.output
    assert re.search(r"speed +│ [\d,]+ steps/s", result.output)


def test_mean_and_interval_are_those_of_the_textbook() -> None:
    assert mean_and_interval([1.0, 2.0, 3.0, 4.0]) == "2.5000 ± 1.2652"
    assert mean_and_interval([1.0]) == "1.0000 ± nan"
    assert mean_and_interval([]) == "none"


def test_the_file_has_one_line_an_episode_and_tells_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    target = ("gym_env", "--env", "id=CartPole-v1", "--env", "max_episode_steps=5")
    assert rollout(*target, "--episodes", "3", "--seed", "7", "--out", str(path)).exit_code == 0
    episodes = trajectories(path)
    assert [episode["seed"] for episode in episodes] == [7, 8, 9]
    for episode in episodes:
        assert (len(episode["observations"]), len(episode["actions"])) == (6, 5)
        assert episode["rewards"] == [1.0] * 5
        assert (episode["done"], episode["truncated"], episode["error"]) == (True, True, None)


def test_seeds_decide_and_neither_concurrency_nor_transport_does(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    rollout("gym_env", "--episodes", "40", "--out", str(here))
    with serve(create_app(environment())) as url:
        assert rollout(url, "--episodes", "40", "--concurrency", "5", "--out", str(there))
    by_seed = sorted(trajectories(there), key=lambda episode: episode["seed"])
    assert by_seed == trajectories(here)


def test_a_random_policy_does_not_foresee_what_the_environment_draws(tmp_path: Path) -> None:
    path = tmp_path / "t"
    assert rollout("tests.cli.hiding", "--episodes", "20", "--out", str(path)).exit_code == 0
    hits = [episode["rewards"] == [1.0] for episode in trajectories(path)]
    assert hits.count(True) < 10


def test_an_endless_episode_is_cut_off_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "t"
    assert rollout("echo_env", "--episodes", "1", "--max-steps", "9", "--out", str(path))
    (episode,) = trajectories(path)
    assert len(episode["actions"]) == 9
    assert {action["type"] for action in episode["actions"]} == {"call_tool"}
    assert (episode["done"], episode["truncated"]) == (False, True)


@pytest.mark.parametrize("name", ["cautious", "thoughtful"])
def test_a_policy_of_the_users_own_plays(name: str, tmp_path: Path) -> None:
    path = tmp_path / "t"
    policy = f"tests.cli.policies:{name}"
    result = rollout("gym_env", "--policy", policy, "--episodes", "20", "--out", str(path))
    assert result.exit_code == 0
    for episode in trajectories(path):
        totals = [seen["observation"][0] for seen in episode["observations"]]
        hits = [action["action"] for action in episode["actions"]]
        assert hits == [int(total < 12) for total in totals[: len(hits)]]


def test_a_failed_episode_is_counted_by_its_error_and_fails_the_command() -> None:
    result = rollout("gym_env", "--policy", "tests.cli.policies:broken", "--episodes", "3")
    assert result.exit_code == 1
    assert "3 x LookupError: no weights" in result.output


def test_more_sessions_than_the_server_holds_is_told_at_once() -> None:
    with serve(create_app(environment(), max_concurrent_envs=2)) as url:
        result = rollout(url, "--concurrency", "3", "--episodes", "500")
    assert result.exit_code == 2
    assert "lower --concurrency" in result.stderr


def test_a_trainer_with_the_token_plays_against_production() -> None:
    token = "".join(random.Random(0).choices(string.ascii_letters, k=20))
    app = create_app(environment(), mode=ServerMode.PRODUCTION, control_token=token)
    with serve(app) as url:
        assert rollout(url, "--episodes", "2", "--control-token", token).exit_code == 0
        refused = rollout(url, "--episodes", "2")
    assert refused.exit_code == 1
    assert "Unknown message type" in refused.output
