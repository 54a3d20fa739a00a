"""What adapters to trainers show of the original's servers is what they show of ours."""

from typing import Any

import pytest

from openenv_lite.trainers import Episodes
from openenv_lite.trainers.trl import environment_class
from tests.interop.processes import Fleet

FLEETS = pytest.mark.parametrize("fleet", ["original", "ours"])

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("add", {"a": 1}),
    ("add", {"a": 1, "b": 5}),
    ("echo", {"message": "hello\nyou"}),
    ("pair", {"a": 2}),
    ("names", {}),
    ("nothing", {}),
    ("picture", {}),
]

WRONG: list[tuple[str, dict[str, Any]]] = [("fail", {}), ("nobody", {}), ("add", {"a": "one"})]


def test_the_tools_and_what_they_answer_are_the_same(original: Fleet, ours: Fleet) -> None:
    seen = []
    for fleet in (original, ours):
        with Episodes(fleet.urls["tools"]) as episodes:
            names = [tool.name for tool in episodes.tools]
            first = episodes.reset(seed=1, unknown="x").content
            outcomes = [episodes.call(*call) for call in CALLS]
            assert not any(each.is_error or each.done for each in outcomes)
            seen.append((names, first, [each.content for each in outcomes]))
    assert seen[0] == seen[1]


@FLEETS
def test_what_a_model_did_wrong_it_is_told(fleet: str, request: pytest.FixtureRequest) -> None:
    urls = request.getfixturevalue(fleet).urls
    with Episodes(urls["tools"]) as episodes:
        episodes.reset()
        for call in WRONG:
            assert episodes.call(*call).is_error
        assert episodes.call("echo", {"message": "on"}).text == "on"


def test_an_action_is_one_tool_on_both(original: Fleet, ours: Fleet) -> None:
    seen = []
    for fleet in (original, ours):
        with Episodes(fleet.urls["plain"]) as episodes:
            (tool,) = episodes.tools
            fields = {*tool.input_schema["properties"]}
            outcomes = [
                episodes.reset(seed=3, difficulty="hard"),
                episodes.call(tool.name, {"text": "a", "count": 2, "point": {"x": 1}}),
                episodes.call(tool.name, {"text": "b", "behave": "end"}),
            ]
            texts = [each.text for each in outcomes]
            flags = [(each.reward, each.done) for each in outcomes]
            assert episodes.call(tool.name, {"text": "c"}).text.startswith("Error: The episode")
            seen.append((tool.name, fields, texts, flags))
    assert seen[0] == seen[1]


@FLEETS
def test_trl_plays_on_both(fleet: str, request: pytest.FixtureRequest) -> None:
    made: Any = environment_class(request.getfixturevalue(fleet).urls["tools"])()
    assert made.reset(prompt=[{"role": "user", "content": "Go."}]) is None
    assert made.add(a=1, b=2) == "3"
    assert made.fail().startswith("Error: ")
    assert made.get_reward() == 0.0
