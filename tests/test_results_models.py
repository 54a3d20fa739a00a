"""Observations that are Pydantic models, as OpenEnv's authors write them."""

from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel, Field, RootModel, field_serializer

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


class Dumped(Seen):
    def model_dump(self, **options: Any) -> dict[str, Any]:
        return {**super().model_dump(**options), "board": options["mode"]}


def test_an_author_may_dump_in_another_way() -> None:
    assert result_of(Dumped()).observation["board"] == "json"


class Renamed(Seen, serialize_by_alias=True):
    when: date = Field(date(2026, 1, 2), alias="theDay")
    inner: Any = Seen()

    @field_serializer("board")
    def joined(self, board: list[int]) -> str:
        return "-".join(map(str, board))


def test_what_the_serializer_gives_is_what_a_dump_gives() -> None:
    seen = Renamed(theDay=date(2026, 1, 2))
    dumped = seen.model_dump(mode="json")
    assert {**result_of(seen).observation, "reward": 0.5, "done": True} == dumped
    assert (dumped["theDay"], dumped["board"]) == ("2026-01-02", "1-2")


def test_a_model_that_is_no_object_is_refused() -> None:
    with pytest.raises(TypeError, match="expected an Observation"):
        result_of(RootModel[str]("nothing"))
