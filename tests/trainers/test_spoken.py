"""Tool calls in text: whatever a model says is calls, or a hint how to write one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite.errors import InvalidArgumentsError
from openenv_lite.trainers.outcome import Outcome
from openenv_lite.trainers.spoken import (
    answer_to,
    calls_in,
    function_of,
    with_first,
    with_tools,
)
from openenv_lite.types import ToolSpec

TOOL = ToolSpec(name="go", description="Go on.", input_schema={"type": "object", "properties": {}})

PIECES = [
    "<tool_call>",
    "</tool_call>",
    "</think>",
    '{"name":',
    '"x"',
    "}",
    ', "arguments": {',
    "\\",
]

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
calls = st.tuples(st.text(), st.dictionaries(st.text(max_size=5), plain, max_size=3))


def written(name: str, arguments: dict[str, Any]) -> str:
    text = json.dumps({"name": name, "arguments": arguments}).replace("<", "\\u003c")
    return f"<tool_call>\n{text}\n</tool_call>"


@given(st.lists(calls, min_size=1, max_size=3), st.text().filter(lambda text: "<" not in text))
def test_what_is_written_is_read(spoken: list[tuple[str, dict[str, Any]]], between: str) -> None:
    text = between.join(["", *(written(*each) for each in spoken), ""])
    assert [(each.name, each.arguments) for each in calls_in(text)] == spoken


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3)).map("".join))
def test_any_text_is_calls_or_told_how_to_call(text: str) -> None:
    try:
        assert calls_in(text)
    except InvalidArgumentsError as error:
        assert "Write <tool_call>" in error.message


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{written('go', {})}</think>",
        f"<tool_call>{'[' * 10**6}</tool_call>",
        '<tool_call>{"name": "\\ud800"}</tool_call>',
        '<tool_call>{"name": "go", "arguments": {"x": NaN}}</tool_call>',
        '<tool_call>{"arguments": {}}</tool_call>',
        f"{written('go', {})}<tool_call>",
    ],
)
def test_what_is_no_call_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentsError):
        calls_in(text)


def test_text_that_cannot_be_sent_is_no_failure() -> None:
    (call,) = calls_in('<tool_call>{"name": "\ud800"}')
    assert (call.name, call.arguments) == ("?", {})


def test_a_prompt_tells_of_tools_and_of_what_is_seen_first_and_is_not_changed() -> None:
    prompt = [{"role": "user", "content": "Hello."}]
    system, user = with_first(with_tools(prompt, [TOOL]), "You see a door.")
    assert json.loads(
        system["content"].partition("<tools>\n")[2].partition("\n")[0]
    ) == function_of(TOOL)
    assert (user["role"], user["content"]) == ("user", "Hello.\n\nYou see a door.")
    assert prompt == [{"role": "user", "content": "Hello."}]
    assert with_first(prompt, "") == prompt
    assert with_first([], "Now.") == [{"role": "user", "content": "Now."}]
    asked = [*prompt, {"role": "assistant", "content": "Well."}]
    assert with_first(asked, "Now.")[2:] == [{"role": "user", "content": "Now."}]


def test_answers_stand_one_below_the_other() -> None:
    seen = [Outcome([{"type": "text", "text": each}]) for each in "ab"]
    told = "<tool_response>\n{}\n</tool_response>"
    assert answer_to(seen) == told.format("a") + "\n" + told.format("b")
