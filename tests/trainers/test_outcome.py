"""What a model sees of an observation, whoever made it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite.trainers.outcome import outcome_of_result
from openenv_lite.types import StepResult

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "content", "resource", "data"]) | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


def seen(observation: Any) -> str:
    return outcome_of_result(StepResult(observation=observation, reward=None, done=False)).text


@pytest.mark.parametrize("content", ["a file", 5, [5], None])
def test_a_value_with_a_content_of_its_own_is_shown_whole(content: Any) -> None:
    assert "content" in seen({"tool_name": "read", "result": {"content": content}})


@given(result=PLAIN, error=PLAIN)
def test_whatever_a_server_sends_is_text_to_a_model(result: Any, error: Any) -> None:
    assert isinstance(seen({"tool_name": "read", "result": result, "error": error}), str)
    assert isinstance(seen(result), str)


def test_a_reward_is_never_shown() -> None:
    assert seen({"reward": 7, "done": True, "metadata": {"answer": 7}, "truncated": False}) == ""
