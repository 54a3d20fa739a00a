import dataclasses
import functools
import sys
import threading
from typing import Annotated, Any, Literal, TypedDict

import jsonschema  # type: ignore[import-untyped]
import msgspec
import pydantic
import pytest
from fastmcp.utilities.types import Image as ForeignImage
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite import Image, ServerMode, codec
from openenv_lite.content import ResourceLink, ToolResult
from openenv_lite.context import Context
from openenv_lite.errors import ConfigurationError, InvalidArgumentsError, UnknownToolError
from openenv_lite.tools import RESERVED_TOOL_NAMES, Tool, ToolOptions, ToolRegistry

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


@pytest.mark.parametrize("name", ["\uff52\uff45\uff53\uff45\uff54", "cl\u200bose", "re set"])
def test_a_name_that_only_looks_reserved_to_a_reader_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="reserved"):
        ToolRegistry()(name=name)(greet)


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


@pytest.mark.parametrize("default", [(), object(), float("nan"), [object()], {"a": {1}}])
def test_whatever_the_default_the_specification_can_be_sent(default: Any) -> None:
    def odd(a: Any = default) -> None:
        """Take anything."""

    codec.encode(Tool(odd).spec)


class Point(msgspec.Struct):
    """A place."""

    x: int
    y: int = 0


class Row(TypedDict):
    name: str


class Model(pydantic.BaseModel):
    size: int


def returning(kind: Any) -> Tool:
    def function() -> Any:
        """Returns something."""

    function.__annotations__["return"] = kind
    return Tool(function)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (str, "x"),
        (int, 1),
        (float, 1),
        (bool, True),
        (list[int], [1]),
        (list[Point], [Point(1)]),
        (tuple[int, str], (1, "x")),
        (int | str, "x"),
        (Literal["a", "b"], "a"),
        (Point, Point(1, 2)),
        (Row, {"name": "a"}),
        (Model, Model(size=1)),
        (dict[str, int], {"a": 1}),
        (dict[str, Point], {"a": Point(1)}),
    ],
    ids=str,
)
def test_what_a_tool_returns_fits_the_schema_read_from_its_annotation(
    kind: Any, value: Any
) -> None:
    tool = returning(kind)
    schema = tool.declaration["outputSchema"]
    assert schema["type"] == "object"
    jsonschema.Draft202012Validator.check_schema(schema)
    sent = codec.parse(codec.encode(tool.outcome(value).structured))
    jsonschema.validate(sent, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"result": {"no": None}}, schema)


@pytest.mark.parametrize(
    "kind",
    [
        None,
        Any,
        Image,
        list[Image],
        str | Image,
        ToolResult,
        ResourceLink,
        ForeignImage,
        Point | None,
        dict[str, int] | int,
        str | None,
        Literal["a", None],
        object,
    ],
    ids=str,
)
def test_an_annotation_that_tells_no_one_place_gives_no_output_schema(kind: Any) -> None:
    assert "outputSchema" not in returning(kind).declaration


def test_no_annotation_gives_no_output_schema() -> None:
    assert "outputSchema" not in Tool(lambda: 1, name="it").declaration


def test_the_declaration_holds_what_was_given_and_no_nulls() -> None:
    hints = {"readOnlyHint": True, "title": "Look"}
    tool = Tool(
        greet,
        title="Greet",
        description="Hello.",
        annotations=hints,
        icons=[{"src": "data:,"}],
        meta={"a": 1},
    )
    assert tool.declaration == {
        "name": "greet",
        "title": "Greet",
        "description": "Hello.",
        "inputSchema": tool.spec.input_schema,
        "outputSchema": {
            "type": "object",
            "properties": {"result": {"type": "string"}},
            "required": ["result"],
        },
        "annotations": hints,
        "icons": [{"src": "data:,"}],
        "_meta": {"a": 1},
    }
    assert Tool(lambda: 1, name="bare").declaration.keys() == {"name", "inputSchema"}


def test_an_unknown_option_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"'titel'.*title"):
        Tool(greet, titel="Greet")  # type: ignore[call-arg]


def test_a_header_for_an_argument_comes_from_its_annotation() -> None:
    header = msgspec.Meta(extra_json_schema={"x-mcp-header": "Region"})

    def near(region: Annotated[str, header]) -> str:
        """Says where."""
        return region

    fields = Tool(near).spec.input_schema["properties"]
    assert fields["region"] == {"type": "string", "x-mcp-header": "Region"}


VERBATIM: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {"place": {"$anchor": "here", "type": "object", "required": ["city"]}},
    "properties": {"place": {"$ref": "#here"}, "kind": {"enum": ["a", "b"]}},
    "if": {"properties": {"kind": {"const": "a"}}, "required": ["kind"]},
    "then": {"required": ["place"]},
    "additionalProperties": False,
}


def taken(**given: Any) -> dict[str, Any]:
    """Takes anything."""
    return given


def test_a_given_schema_is_kept_verbatim_and_held_against_the_arguments() -> None:
    tool = Tool(taken, input_schema=VERBATIM)
    assert codec.encode(tool.declaration["inputSchema"]) == codec.encode(VERBATIM)
    good = {"kind": "a", "place": {"city": "Ulm"}}
    assert tool.bind(good, Context()) == good
    for bad, place in (
        ({"kind": "c"}, ["kind"]),
        ({"kind": "a"}, []),
        ({"place": {}}, ["place"]),
        ({"other": 1}, []),
    ):
        with pytest.raises(InvalidArgumentsError) as caught:
            tool.bind(bad, Context())
        fault = caught.value.details["errors"][0]
        assert fault["loc"] == place
        assert caught.value.message.endswith(fault["msg"])


def test_a_refusal_of_arguments_stays_small_and_shallow() -> None:
    schema = {"type": "object", "additionalProperties": {"type": "object", "$ref": "#"}}
    tool = Tool(taken, input_schema=schema)
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"a": deep}
    with pytest.raises(InvalidArgumentsError, match="Nested too deeply"):
        tool.bind({"a": deep}, Context())
    with pytest.raises(InvalidArgumentsError) as caught:
        tool.bind({str(each): "x" * 10_000 for each in range(1000)}, Context())
    assert len(codec.encode(caught.value.details)) < 30_000


@pytest.mark.parametrize(
    ("schema", "complaint"),
    [
        ({"type": "string"}, '"type": "object"'),
        ({}, '"type": "object"'),
        ({"type": "object", "properties": 5}, "no valid JSON Schema"),
        ({"type": "object", "$schema": "test://mine"}, "unknown draft"),
        ({"type": "object", "$ref": "https://example.org/a.json"}, "does not hold"),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}}, "does not hold"),
        ({"type": "object", "allOf": [{"$ref": "#nowhere"}]}, "does not hold"),
        ({"type": "object", "$ref": "file:///etc/passwd"}, "does not hold"),
    ],
)
@pytest.mark.parametrize("which", ["input_schema", "output_schema"])
def test_a_schema_that_cannot_be_held_against_anything_is_refused_when_declared(
    schema: dict[str, Any], complaint: str, which: Literal["input_schema", "output_schema"]
) -> None:
    given: ToolOptions = {"input_schema": schema}
    if which == "output_schema":
        given = {"output_schema": schema}
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        Tool(taken, **given)
    assert which in caught.value.message
    Tool(taken, **(given | {"validate": False}))


def test_an_older_draft_is_followed_where_the_schema_names_it() -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {"a": {"$ref": "#/definitions/few"}},
        "definitions": {"few": {"items": [{"type": "integer"}], "additionalItems": False}},
    }
    tool = Tool(taken, input_schema=schema)
    assert tool.bind({"a": [1]}, Context()) == {"a": [1]}
    with pytest.raises(InvalidArgumentsError):
        tool.bind({"a": [1, 2]}, Context())


def test_without_the_package_a_given_schema_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("jsonschema", "jsonschema.validators"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigurationError, match=r"pip install 'openenv-lite\[schema\]'"):
        Tool(taken, input_schema=VERBATIM)


def test_a_result_is_held_against_the_schema_that_was_given_for_it() -> None:
    schema = {"type": "object", "required": ["a"]}
    tool = Tool(taken, output_schema=schema)
    assert tool.outcome({"a": (1, 2)}).structured == {"a": (1, 2)}
    assert tool.declaration["outputSchema"] is schema
    assert tool.outcome({"a": 1}).structured == {"a": 1}
    assert tool.outcome(ToolResult("no", is_error=True)).is_error
    every: list[Any] = [{}, "x", None]
    for bad in every:
        with pytest.raises(ValueError, match="does not fit its output schema"):
            tool.outcome(bad)


def test_a_context_is_filled_in_and_not_an_argument() -> None:
    def tell(text: str, context: Context) -> Any:
        """Tells."""
        return text, context

    tool, own = Tool(tell), Context()
    assert tool.spec.input_schema["properties"].keys() == {"text"}
    assert tool.bind({"text": "x"}, own) == {"text": "x", "context": own}


@pytest.mark.parametrize("name", ["reset", " Step"])
def test_a_reserved_name_may_be_renamed_before_it_is_added(name: str) -> None:
    tools, tool = ToolRegistry(), Tool(greet, name=name, title="T", input_schema=VERBATIM)
    with pytest.raises(ConfigurationError, match="reserved"):
        tools.add(tool)
    renamed = tool.renamed("web_" + name)
    tools.add(renamed)
    assert "web_" + name in tools
    assert renamed.declaration == {**tool.declaration, "name": "web_" + name}


def test_changes_are_counted_and_told() -> None:
    tools, told = ToolRegistry(), list[int]()
    tools.on_change = lambda: told.append(tools.version)
    tools(greet)
    tools(name="other", mode="production")(greet)
    tools.remove("greet")
    assert told == [1, 2, 3]
    assert [tool.name for tool in tools.tools(PRODUCTION)] == ["other"]
    assert tools.tools(SIMULATION) == ()
    with pytest.raises(UnknownToolError):
        tools.remove("greet")
    assert tools.version == 3


def test_a_tool_that_comes_again_keeps_its_place() -> None:
    tools = ToolRegistry()
    for name in ("a", "b", "a"):
        tools(name=name)(greet)
    assert [tool.name for tool in tools.tools(SIMULATION)] == ["a", "b"]


def test_who_reads_while_others_change_sees_it_before_or_after() -> None:
    tools = ToolRegistry()
    made = [Tool(greet, name=str(each)) for each in range(300)]

    def add(some: list[Tool]) -> None:
        for tool in some:
            tools.add(tool)

    threads = [threading.Thread(target=add, args=(made[each::3],)) for each in range(3)]
    for thread in threads:
        thread.start()
    seen = 0
    while any(thread.is_alive() for thread in threads):
        listed = len(tools.list(SIMULATION))
        assert listed >= seen
        seen = listed
    assert len(tools.tools(SIMULATION)) == tools.version == 300


@dataclasses.dataclass
class Size:
    """How large."""

    width: int


@given(st.integers(), st.integers())
def test_a_dataclass_as_a_result_is_an_object(width: int, other: int) -> None:
    tool = returning(Size)
    assert tool.outcome(Size(width)).structured == {"width": width}
    assert tool.declaration["outputSchema"]["required"] == ["width"]


def test_unique_items_are_found_in_one_pass() -> None:
    array = {"type": "array", "uniqueItems": True}
    schema: dict[str, Any] = {"type": "object", "properties": {"given": array}}
    tool = Tool(lambda given: len(given), name="count", input_schema=schema)
    many = [{"number": number} for number in range(20_000)]
    assert tool.bind({"given": many}, Context())["given"] == many
    assert tool.bind({"given": [1, True, "1"]}, Context())
    for alike in ([1, 1.0], [{"a": 1, "b": 2}, {"b": 2, "a": 1.0}], [[1], [1.0]]):
        with pytest.raises(InvalidArgumentsError, match="not unique"):
            tool.bind({"given": alike}, Context())
