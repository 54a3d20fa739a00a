"""Observations that are Pydantic models, as OpenEnv's authors write them."""

from typing import Any

import pytest
from pydantic import BaseModel, RootModel

from openenv_lite.results import result_of


class Seen(BaseModel):
    board: list[int] = [1, 2]
    reward: float | None = 0.5
    done: bool = True
    metadata: dict[str, Any] = {"note": 1}


class Cut(Seen):
    truncated: bool = True


def test_reward_and_done_leave_the_fields_of_a_model() -> None:
    result = result_of(Seen())
    assert result.observation == {"board": [1, 2], "metadata": {"note": 1}}
    assert (result.reward, result.done, result.truncated) == (0.5, True, False)


def test_a_field_of_its_authors_stays_where_it_is() -> None:
    result = result_of(Cut())
    assert result.observation["truncated"] is result.truncated is True


def test_a_model_that_is_no_object_is_refused() -> None:
    with pytest.raises(TypeError, match="expected an Observation"):
        result_of(RootModel[str]("nothing"))
