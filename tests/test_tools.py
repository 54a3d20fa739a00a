import functools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite import ServerMode, codec
from openenv_lite.errors import ConfigurationError, UnknownToolError
from openenv_lite.tools import RESERVED_TOOL_NAMES, Tool, ToolRegistry

SIMULATION, PRODUCTION = ServerMode.SIMULATION, ServerMode.PRODUCTION


def greet(name: str, times: int = 1) -> str:
    """Say hello.

    Args:
        name: Whom to greet.
    """
    return f"hello {name}" * times


@given(
    st.sampled_from(sorted(RESERVED_TOOL_NAMES)).flatmap(
        lambda name: st.tuples(*(st.sampled_from([c, c.upper()]) for c in name)).map("".join)
    ),
    st.sampled_from(["", " ", "\t", "\n"]),
)
def test_a_reserved_name_is_refused_in_any_case(name: str, space: str) -> None:
    with pytest.raises(ConfigurationError, match="reserved"):
        ToolRegistry()(name=space + name + space)(greet)


@pytest.mark.parametrize("name", sorted(RESERVED_TOOL_NAMES))
def test_a_function_of_a_reserved_name_is_refused(name: str) -> None:
    def function() -> None:
        """A control in disguise."""

    function.__name__ = name
    with pytest.raises(ConfigurationError, match="Rename the tool"):
        ToolRegistry()(function)


def test_a_tool_is_described_by_its_signature_and_docstring() -> None:
    tools = ToolRegistry()
    assert tools(greet) is greet
    (spec,) = tools.list(SIMULATION)
    assert spec.name == "greet"
    assert spec.description.startswith("Say hello.")
    assert spec.input_schema["properties"]["name"]["description"] == "Whom to greet."


def test_a_tool_of_one_mode_does_not_exist_in_the_other() -> None:
    tools = ToolRegistry()
    tools(mode="simulation", name="one")(greet)
    tools(mode=ServerMode.PRODUCTION, name="two")(greet)
    tools(name="both")(greet)
    assert [spec.name for spec in tools.list(SIMULATION)] == ["one", "both"]
    assert [spec.name for spec in tools.list(PRODUCTION)] == ["two", "both"]
    with pytest.raises(UnknownToolError):
        tools.get("one", PRODUCTION)


def test_a_name_may_mean_another_function_in_each_mode() -> None:
    tools = ToolRegistry()
    tools(mode="simulation", name="look")(lambda: "dream")
    tools(mode="production", name="look")(lambda: "world")
    assert tools.get("look", SIMULATION).function() == "dream"
    assert tools.get("look", PRODUCTION).function() == "world"


def test_an_unknown_mode_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError, match="Invalid mode 'dreaming'"):
        ToolRegistry()(mode="dreaming")(greet)


@given(st.text())
def test_an_unknown_name_is_a_typed_error(name: str) -> None:
    with pytest.raises(UnknownToolError):
        ToolRegistry().get(name, SIMULATION)


def test_callables_other_than_functions_can_be_tools_when_named() -> None:
    class Adder:
        def __call__(self, a: int) -> int:
            """Add one."""
            return a + 1

        def method(self, a: int) -> int:
            """Add one."""
            return a + 1

    for function in (functools.partial(greet, "you"), Adder(), Adder().method):
        tool = Tool(function, name="it")
        assert tool.spec.input_schema["type"] == "object"


def test_an_async_callable_object_is_seen_to_be_async() -> None:
    class Waiter:
        async def __call__(self) -> int:
            """Wait."""
            return 1

    assert Tool(Waiter(), name="wait").is_async


def test_a_callable_without_a_name_asks_for_one() -> None:
    with pytest.raises(ConfigurationError, match="name"):
        Tool(functools.partial(greet, "you"))


@pytest.mark.parametrize("default", [(), object(), float("nan"), [object()], {"a": {1}}], ids=repr)
def test_whatever_the_default_the_specification_can_be_sent(default: Any) -> None:
    def odd(a: Any = default) -> None:
        """Take anything."""

    codec.encode(Tool(odd).spec)
