"""Gymnasium's interfaces over clients that record."""

from pathlib import Path
from typing import Any

import pytest
from gym_env import environment

from openenv_lite import create_app
from openenv_lite.gym import GymVectorEnv
from openenv_lite.recording import load


@pytest.mark.parametrize("wire", ["env", "app"])
def test_a_vector_of_gymnasiums_is_told_as_the_server_would_tell_it(
    wire: str, tmp_path: Path
) -> None:
    kind = environment("CartPole-v1")
    app = create_app(kind, record_dir=str(tmp_path / "server"))
    place: dict[str, Any] = {"env": kind} if wire == "env" else {"app": app}
    envs = GymVectorEnv(**place, num_envs=3, record=tmp_path / "client")
    envs.reset(seed=7)
    envs.action_space.seed(1)
    for _ in range(60):
        envs.step(envs.action_space.sample())
    envs.close()
    reference = GymVectorEnv(app=app, num_envs=3)
    reference.reset(seed=7)
    reference.action_space.seed(1)
    for _ in range(60):
        reference.step(reference.action_space.sample())
    reference.close()
    ours, theirs = load(tmp_path / "client"), load(tmp_path / "server")
    assert len(theirs) > 3
    shown = [
        [(each.observation, each.acts) for each in some] for some in (ours, theirs[-len(ours) :])
    ]
    for some in shown:
        for _, acts in some:
            for act in acts:
                act.seconds = 0.0
                act.action.pop("metadata", None)
    assert shown[0] == shown[1]
