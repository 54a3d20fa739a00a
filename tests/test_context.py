import asyncio
import contextlib
import dataclasses
import enum
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite import CallToolAction, MCPEnvironment, codec
from openenv_lite.content import Image, Message
from openenv_lite.context import IN_PROGRESS, LOG_LEVELS, SILENT, Context, InputRequired, LogLevel
from openenv_lite.errors import (
    CapabilityError,
    ConfigurationError,
    ExecutionError,
    InvalidAnswerError,
    ToolFailedError,
)
from openenv_lite.failures import is_authors
from openenv_lite.questions import (
    Elicit,
    Elicited,
    ElicitURL,
    Question,
    Root,
    Roots,
    Sample,
    Sampled,
    flat_schema,
)
from tests.leaks import on_loop
from tests.test_codec import JSON


class Name(msgspec.Struct):
    """Who somebody is."""

    name: str
    age: Annotated[int, msgspec.Meta(ge=0, description="In years.")] = 3


class Ear:
    """A channel that keeps what it is told, and answers from a table."""

    def __init__(self, answers: Mapping[str, Any] | None = None) -> None:
        self.capabilities: Mapping[str, Any] = {"sampling": {}, "elicitation": {"url": {}}}
        self.wants_progress = True
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.asked: list[str] = []
        self.answers = answers or {}
        self.gate: asyncio.Event | None = None
        self.left = 0

    def wants_log(self, level: LogLevel) -> bool:
        return LOG_LEVELS.index(level) >= LOG_LEVELS.index("info")

    def notify(self, method: str, params: dict[str, Any]) -> None:
        codec.encode(params)
        self.heard.append((method, params))

    async def ask(self, questions: Mapping[str, Question]) -> Mapping[str, Any]:
        self.asked += questions
        if self.gate is not None:
            await self.gate.wait()
        if not questions.keys() <= self.answers.keys():
            raise InputRequired(questions)
        return self.answers

    def leave(self) -> None:
        self.left += 1


class Host(MCPEnvironment):
    """Tools that ask, with a limit of a tenth of a second."""

    TOOL_TIMEOUT_S = 0.1

    def __init__(self) -> None:
        self.ran = 0

        @self.tool
        async def greet(context: Context, greeting: str = "Hello") -> str:
            """Greets."""
            self.ran += 1
            with contextlib.suppress(Exception):  # an author who catches too much
                answer = await context.elicit("Who?", Name)
                return f"{greeting}, {answer.content.name}!"
            return "caught"

        @self.tool
        async def dawdle(context: Context) -> str:
            """Asks, then takes its time."""
            await context.roots()
            await asyncio.sleep(60)
            return "late"

        @self.tool
        async def give_up() -> str:
            """Runs into a limit of its own."""
            raise TimeoutError("mine")


ACCEPTED = {"action": "accept", "content": {"name": "Ada"}}


def test_what_a_call_tells_goes_to_the_channel_as_mcp_has_it() -> None:
    ear = Ear()
    context = Context(ear)
    context.progress(1, 2, "half")
    context.progress(2)
    context.log({"a": 1}, "warning", "mine")
    context.log(None)
    context.disconnect()
    assert ear.left == 1
    assert ear.heard == [
        ("notifications/progress", {"progress": 1, "total": 2, "message": "half"}),
        ("notifications/progress", {"progress": 2}),
        ("notifications/message", {"level": "warning", "logger": "mine", "data": {"a": 1}}),
        ("notifications/message", {"level": "info", "data": None}),
    ]


def test_what_nobody_wants_is_not_sent() -> None:
    ear = Ear()
    ear.wants_progress = False
    Context(ear).progress(1)
    Context(ear).log("x", "debug")
    assert ear.heard == []


@pytest.mark.parametrize("data", [object(), {1: object()}, {"a": b"x"}, float("nan")])
def test_whatever_is_logged_can_be_sent(data: Any) -> None:
    ear = Ear()
    Context(ear).log(data)
    assert len(ear.heard) == 1


def test_a_level_that_does_not_exist_is_refused_even_in_silence() -> None:
    with pytest.raises(ConfigurationError, match="debug, info"):
        Context().log("x", "loud")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("sampling", True),
        ("elicitation", True),
        ("elicitation.url", True),
        ("elicitation.form", False),
        ("roots", False),
        ("sampling.tools.deep", False),
    ],
)
def test_capabilities_are_looked_up_level_by_level(name: str, there: bool) -> None:
    assert Context(Ear()).supports(name) is there
    assert not Context().supports(name)


@on_loop
async def test_in_silence_a_question_names_the_capability_it_needs() -> None:
    Context().progress(1)
    Context().log("x")
    with pytest.raises(CapabilityError) as caught:
        await Context().ask(
            a=ElicitURL("Go", "https://example.org"), b=Elicit("?", Name), c=Roots()
        )
    needed: dict[str, Any] = {"elicitation": {"url": {}}, "roots": {}}
    assert caught.value.details == {"requiredCapabilities": needed}


@on_loop
async def test_several_questions_are_asked_at_once() -> None:
    ear = Ear(
        {
            "who": ACCEPTED,
            "poem": {"role": "assistant", "content": {"type": "text", "text": "O"}, "model": "m"},
            "where": {"roots": [{"uri": "file:///a", "name": "a"}, {"uri": "file:///b"}]},
        }
    )
    answers = await Context(ear).ask(who=Elicit("?", Name), poem=Sample("Write"), where=Roots())
    assert answers["who"] == Elicited("accept", Name("Ada"))
    assert answers["poem"].text == "O"
    assert answers["where"] == [Root("file:///a", "a"), Root("file:///b")]
    assert ear.asked == ["who", "poem", "where"]


@on_loop
async def test_questions_asked_one_by_one_have_keys_in_the_order_of_asking() -> None:
    sampled = {"role": "assistant", "content": {"type": "image"}, "model": "m", "stopReason": "end"}
    ear = Ear(
        {"1": {"action": "decline"}, "2": sampled, "3": {"roots": []}, "4": {"action": "cancel"}}
    )
    context = Context(ear)
    assert await context.elicit("?", Name) == Elicited("decline")
    said = await context.sample("x", max_tokens=5, temperature=0.5)
    assert said == Sampled("assistant", {"type": "image"}, "m", "end")
    assert said.text == ""
    assert await context.roots() == []
    assert await context.elicit_url("Go", "https://example.org") == Elicited("cancel")
    assert ear.asked == ["1", "2", "3", "4"]


@given(JSON)
def test_whatever_a_client_answers_is_an_answer_or_a_typed_error(result: Any) -> None:
    schema = {"properties": {"a": {"type": "integer"}}, "required": ["a"]}
    every: list[Question] = [Elicit("?", Name), Elicit("?", schema), ElicitURL("?", "u")]
    for question in (*every, Sample("?"), Roots()):
        for each in (result, {"action": "accept", "content": result}, {"roots": result}):
            with contextlib.suppress(InvalidAnswerError):
                assert question.read(each) is not None


FORM = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "size": {"type": "integer"},
        "ratio": {"type": "number"},
        "way": {"type": "string", "enum": ["up", "down"]},
        "titled": {"type": "string", "oneOf": [{"const": "a", "title": "A"}]},
        "many": {"type": "array", "items": {"type": "string", "enum": ["x", "y"]}},
        "few": {"type": "array", "items": {"anyOf": [{"const": "x", "title": "X"}]}},
    },
    "required": ["name"],
}


@pytest.mark.parametrize(
    ("content", "fits"),
    [
        ({"name": "a"}, True),
        ({"name": "a", "size": 1, "ratio": 1, "way": "up", "titled": "a"}, True),
        ({"name": "a", "many": ["x", "y"], "few": ["x"], "other": 1}, True),
        ({}, False),
        ({"name": 1}, False),
        ({"name": "a", "size": True}, False),
        ({"name": "a", "size": 1.5}, False),
        ({"name": "a", "way": "left"}, False),
        ({"name": "a", "titled": "A"}, False),
        ({"name": "a", "many": "x"}, False),
        ({"name": "a", "many": ["z"]}, False),
        ({"name": "a", "few": ["y"]}, False),
    ],
)
def test_an_answer_is_held_against_the_schema_of_its_form(content: Any, fits: bool) -> None:
    form = Elicit("?", FORM)
    assert form.params()["requestedSchema"] is FORM
    if fits:
        assert form.read({"action": "accept", "content": content}).content == content
        return
    with pytest.raises(InvalidAnswerError):
        form.read({"action": "accept", "content": content})


def test_an_answer_that_does_not_fit_its_class_says_where() -> None:
    with pytest.raises(InvalidAnswerError, match="'age'"):
        Elicit("?", Name).read({"action": "accept", "content": {"name": "a", "age": -1}})


def test_what_was_not_accepted_has_no_content() -> None:
    assert Elicit("?", Name).read({"action": "decline", "content": {}}) == Elicited("decline")


class Way(enum.Enum):
    UP = "up"
    DOWN = "down"


@dataclasses.dataclass
class Everything:
    """One field of each kind that a form can show."""

    text: str
    way: Way
    ways: list[Way]
    choice: Literal["a", "b"] = "a"
    picked: list[Literal["x", "y"]] = dataclasses.field(default_factory=list)
    size: int = 1
    ratio: float | None = None
    choice_or_none: Literal["a"] | None = None
    agreed: bool = False


def test_the_schema_of_a_class_is_flat_as_forms_need_it() -> None:
    schema = flat_schema(Everything)
    assert schema.keys() == {"type", "properties", "required"}
    assert set(schema["required"]) == {"text", "way", "ways"}
    fields = schema["properties"]
    assert "$ref" not in str(schema)
    assert "null" not in str(schema)
    assert fields["way"]["type"] == "string"
    assert set(fields["way"]["enum"]) == {"up", "down"}
    assert set(fields["ways"]["items"]["enum"]) == {"up", "down"}
    assert fields["picked"]["items"]["type"] == "string"
    assert fields["choice"]["default"] == "a"
    assert fields["ratio"] == {"type": "number"}
    assert fields["choice_or_none"] == {"type": "string", "enum": ["a"]}


@pytest.mark.parametrize("kind", [str, list[str], object, dict[str, int], contextlib.suppress])
def test_what_has_no_fields_makes_no_form(kind: Any) -> None:
    with pytest.raises(ConfigurationError, match="A form needs a class"):
        flat_schema(kind)


@pytest.mark.parametrize("kind", [list[str], dict[str, int], Name, list[Literal[1, 2]], int | str])
def test_a_field_that_no_form_can_show_is_named(kind: Any) -> None:
    nested = msgspec.defstruct("Nested", [("inner", kind)])
    with pytest.raises(ConfigurationError, match="'inner'"):
        Elicit("?", nested).params()


def test_questions_are_worded_as_mcp_has_them() -> None:
    page = ElicitURL("Go", "https://example.org")
    assert page.params().keys() == {"mode", "message", "url", "elicitationId"}
    assert page.elicitation_id != ElicitURL("Go", "https://example.org").elicitation_id
    messages = ["Look", Image(data=b"x"), Message("assistant", "I see")]
    sample = Sample(messages, 5, system_prompt="Be brief", stop_sequences=["."])
    assert sample.params() == {
        "messages": [
            {"role": "user", "content": {"type": "text", "text": "Look"}},
            {
                "role": "user",
                "content": {"type": "image", "data": "eA==", "mimeType": "image/png"},
            },
            {"role": "assistant", "content": {"type": "text", "text": "I see"}},
        ],
        "maxTokens": 5,
        "systemPrompt": "Be brief",
        "stopSequences": ["."],
    }
    assert (Roots().params(), Roots().method) == ({}, "roots/list")
    assert sample.needs() == {"sampling": {}}


@on_loop
async def test_a_call_that_needs_answers_ends_with_its_questions_and_is_made_again() -> None:
    host = Host()
    IN_PROGRESS.set(Context(Ear()))
    with pytest.raises(InputRequired) as caught:
        await host.invoke_tool("greet", {})
    assert [question.method for question in caught.value.questions.values()] == [
        "elicitation/create"
    ]
    IN_PROGRESS.set(Context(Ear({"1": ACCEPTED})))
    assert (await host.invoke_tool("greet", {"greeting": "Hi"})).data == "Hi, Ada!"
    assert host.ran == 2


def test_a_question_is_no_failure_of_the_authors() -> None:
    assert not is_authors(InputRequired({}))


@on_loop
async def test_a_context_cannot_be_sent_as_an_argument() -> None:
    host = Host()
    (greet, *_) = host.tools.tools(host.server_mode)
    assert greet.spec.input_schema["properties"].keys() == {"greeting"}
    action = CallToolAction(tool_name="greet", arguments={"context": {}})
    seen = await host.step_async(action)
    assert seen.error.error_type == "invalid_args"


@on_loop
async def test_waiting_for_the_client_does_not_count_as_time_taken() -> None:
    host, ear = Host(), Ear({"1": ACCEPTED})
    IN_PROGRESS.set(Context(ear))
    ear.gate = asyncio.Event()
    call = asyncio.create_task(host.invoke_tool("greet", {}))
    await asyncio.sleep(2 * Host.TOOL_TIMEOUT_S)
    assert not call.done()
    ear.gate.set()
    assert (await call).data == "Hello, Ada!"


@on_loop
async def test_after_the_answer_the_time_runs_again() -> None:
    host = Host()
    IN_PROGRESS.set(Context(Ear({"1": {"roots": []}})))
    with pytest.raises(ToolFailedError, match="'dawdle' timed out") as caught:
        await asyncio.wait_for(host.invoke_tool("dawdle", {}), 20)
    assert caught.value.details == {"error_type": "timeout"}


@on_loop
async def test_a_time_out_of_the_tools_own_is_a_failure_like_others() -> None:
    with pytest.raises(ToolFailedError, match="mine"):
        await Host().invoke_tool("give_up", {})


@on_loop
async def test_two_questions_at_a_time_pause_the_clock_until_both_are_answered() -> None:
    loop = asyncio.get_running_loop()
    context = Context()
    allowance = context.allow(50)

    async def call() -> None:
        limit = allowance._timeout
        with allowance.paused():
            with allowance.paused():
                assert limit.when() is None
            assert limit.when() is None
        assert limit.when() == pytest.approx(loop.time() + 50, abs=5)

    await allowance.spend(call())
    with allowance.paused():  # a context that outlived its call
        assert not allowance.is_spent


@on_loop
async def test_prompts_and_resources_may_ask_as_well() -> None:
    host = Host()

    @host.prompt
    async def write(topic: str, context: Context) -> str:
        """Asks who writes."""
        return f"{topic} by {(await context.elicit('Who?', Name)).content.name}"

    @host.resource("test://{topic}")
    async def read(topic: str, context: Context | None) -> str:
        """Takes too long."""
        assert context is not None
        await asyncio.sleep(60)
        return topic

    with pytest.raises(CapabilityError):
        await host.get_prompt("write", {"topic": "Sea"})
    IN_PROGRESS.set(Context(Ear({"1": ACCEPTED})))
    filled = await host.get_prompt("write", {"topic": "Sea"})
    assert filled["messages"][0]["content"]["text"] == "Sea by Ada"
    with pytest.raises(ExecutionError, match="'read' timed out"):
        await host.read_resource("test://x")


@given(st.sampled_from(LOG_LEVELS))
def test_silence_listens_to_nothing(level: LogLevel) -> None:
    assert not SILENT.wants_log(level)
    assert not SILENT.wants_progress
    SILENT.notify("notifications/message", {})
    SILENT.leave()


@on_loop
async def test_questions_of_a_task_group_are_asked_together() -> None:
    host = MCPEnvironment()

    @host.tool
    async def both(context: Context) -> str:
        async with asyncio.TaskGroup() as group:
            group.create_task(context.roots())
            group.create_task(context.roots())
        return "done"

    IN_PROGRESS.set(Context(Ear()))
    with pytest.raises(InputRequired) as caught:
        await host.invoke_tool("both", {})
    assert {each.method for each in caught.value.questions.values()} == {"roots/list"}
