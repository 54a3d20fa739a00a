"""What a model may call, where an environment has no tools but an action."""

from typing import Any, Literal, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from openenv_lite import Action, codec
from openenv_lite.errors import ConfigurationError, UnknownToolError
from openenv_lite.tools import RESERVED_TOOL_NAMES
from openenv_lite.trainers import Toolbox


class PlaceStone(Action):
    """Place a stone."""

    row: int
    color: Literal["black"] = "black"


class Move(Struct, tag_field="type", tag="move"):
    """Move on."""

    far: int = 1


class Resign(Struct, tag_field="type", tag="resign"):
    """Give up."""


class Bare(TypedDict):
    """Nothing but a dict."""

    key: str


def toolbox(kind: Any) -> Toolbox:
    return Toolbox.of_action(codec.json_schema(kind))


def test_the_fields_are_parameters_but_for_those_of_one_value() -> None:
    found = toolbox(PlaceStone)
    (tool,) = found.tools
    assert (tool.name, tool.description) == ("place_stone", "Place a stone.")
    assert tool.input_schema["properties"] == {"row": {"type": "integer"}}
    action = found.action("place_stone", {"row": 2})
    assert action == {"row": 2, "color": "black"}
    assert codec.convert(action, PlaceStone) == PlaceStone(row=2)


def test_a_tag_is_not_the_models_to_write() -> None:
    found = toolbox(Move)
    assert "type" not in found.tools[0].input_schema["properties"]
    assert codec.convert(found.action("move", {}), Move) == Move()


@pytest.mark.parametrize(
    ("kind", "action"),
    [(int, 3), (list[int], [1, 2]), (Literal["up", "down"], "up"), (Move | Resign, Resign())],
)
def test_an_action_without_fields_is_one_parameter(kind: Any, action: Any) -> None:
    found = toolbox(kind)
    (tool,) = found.tools
    assert tool.name == "act"
    assert tool.input_schema["required"] == ["action"]
    arguments = {"action": codec.to_builtins(action)}
    assert codec.convert(found.action("act", arguments), kind) == action


def test_definitions_stay_with_what_refers_to_them() -> None:
    class Whole(Action):
        stones: list[PlaceStone]

    assert "PlaceStone" in toolbox(Whole).tools[0].input_schema["$defs"]
    assert "Move" in toolbox(Move | Resign).tools[0].input_schema["$defs"]


def test_another_name_is_refused() -> None:
    with pytest.raises(UnknownToolError):
        toolbox(Bare).action("call_tool", {"key": "x"})


@given(st.text() | st.sampled_from([*RESERVED_TOOL_NAMES, "Step", "RESET", "Action", "HTTPCall"]))
def test_any_title_gives_a_name_that_is_no_control(title: str) -> None:
    (tool,) = Toolbox.of_action({"title": title, "properties": {"x": {}}}).tools
    assert tool.name.isidentifier()
    assert not tool.name.startswith("_")
    assert tool.name not in RESERVED_TOOL_NAMES


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("HTTPCall", "http_call"),
        ("Guess", "guess"),
        ("Step", "act"),
        ("Action", "act"),
        ("", "act"),
    ],
)
def test_names_read_well(title: str, name: str) -> None:
    assert Toolbox.of_action({"title": title}).tools[0].name == name


def test_metadata_is_not_the_models_to_write() -> None:
    action = toolbox(PlaceStone).action("place_stone", {"row": 2, "metadata": {"cheat": True}})
    assert action == {"row": 2, "color": "black"}


def tool_with(schema: Any) -> Any:
    return {"name": "act", "description": "Act.", "input_schema": schema}


@pytest.mark.parametrize(
    "listed",
    [5, "abc", [1], [{"description": "x"}]]
    + [[tool_with(each)] for each in (5, {"properties": [1]}, {"required": [[1]]}, {"$defs": 1})],
)
def test_tools_that_cannot_be_read_are_refused(listed: Any) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Toolbox.of_tools(listed)


@pytest.mark.parametrize("schema", [{"properties": [1]}, {"properties": {"x": 1}}, {"title": 5}])
def test_an_action_that_cannot_be_read_is_refused(schema: Any) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Toolbox.of_action(schema)
