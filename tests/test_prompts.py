from typing import Any

import pytest

from openenv_lite import Image, MCPEnvironment, ServerMode
from openenv_lite.content import EmbeddedResource, Message
from openenv_lite.errors import (
    ConfigurationError,
    ExecutionError,
    InvalidArgumentsError,
    UnknownPromptError,
)
from openenv_lite.prompts import PromptRegistry
from tests.leaks import on_loop


class Scribe(MCPEnvironment):
    """Prompts of every kind."""

    def __init__(self) -> None:
        @self.prompt
        def simple() -> str:
            """Says hello."""
            return "Hello"

        @self.prompt(
            title="Review",
            description="Reviews.",
            icons=[{"src": "data:,"}],
            meta={"a": 1},
            complete={"language": ["Python", "Perl", "C"], "lines": self.suggest},
        )
        async def review(language: str, lines: int = 3, strict: bool = False) -> list[Any]:
            """Looks at code.

            Args:
                language: Which one.
            """
            wish = Message("assistant", f"{lines + 1} {strict}")
            return [language, wish, Image(data=b"x"), EmbeddedResource(uri="test://a", text="t")]

        @self.prompt(name="broken")
        def fail() -> str:
            raise ValueError("secret-1234")

    def suggest(self, text: str, given: dict[str, str]) -> list[str]:
        return [f"{given['language']}{text}"]


@on_loop
async def test_text_is_one_message_of_the_users() -> None:
    assert await Scribe().get_prompt("simple", {}) == {
        "description": "Says hello.",
        "messages": [{"role": "user", "content": {"type": "text", "text": "Hello"}}],
    }


@on_loop
async def test_arguments_arrive_as_text_and_are_converted() -> None:
    given = {"language": "C", "lines": "4", "strict": "true"}
    filled = await Scribe().get_prompt("review", given)
    assert [message["role"] for message in filled["messages"]] == [
        "user",
        "assistant",
        "user",
        "user",
    ]
    contents = [message["content"] for message in filled["messages"]]
    assert contents[1]["text"] == "5 True"
    assert [each["type"] for each in contents] == ["text", "text", "image", "resource"]


@pytest.mark.parametrize(
    "arguments", [{}, {"language": "C", "lines": "few"}, {"language": "C", "other": "x"}], ids=str
)
@on_loop
async def test_arguments_that_do_not_fit_are_refused(arguments: dict[str, str]) -> None:
    with pytest.raises(InvalidArgumentsError):
        await Scribe().get_prompt("review", arguments)


def test_declarations_are_mcps_in_the_order_of_adding() -> None:
    simple, review, broken = Scribe().prompts.prompts()
    assert simple == {"name": "simple", "description": "Says hello."}
    assert broken == {"name": "broken"}
    assert review == {
        "name": "review",
        "title": "Review",
        "description": "Reviews.",
        "arguments": [
            {"name": "language", "description": "Which one.", "required": True},
            {"name": "lines", "required": False},
            {"name": "strict", "required": False},
        ],
        "icons": [{"src": "data:,"}],
        "_meta": {"a": 1},
    }


@on_loop
async def test_arguments_are_completed_from_a_list_or_by_a_function() -> None:
    scribe = Scribe()
    assert await scribe.complete("prompt", "review", "language", "p", {}) == ["Python", "Perl"]
    assert await scribe.complete("prompt", "review", "language", "", {}) == ["Python", "Perl", "C"]
    assert await scribe.complete("prompt", "review", "lines", "1", {"language": "C"}) == ["C1"]
    assert await scribe.complete("prompt", "review", "strict", "t", {}) == []
    with pytest.raises(ExecutionError, match="language"):
        await scribe.complete("prompt", "review", "lines", "1", {})


@pytest.mark.parametrize("mode", ServerMode)
@on_loop
async def test_what_a_prompt_raises_stays_out_of_production(mode: ServerMode) -> None:
    scribe = Scribe()
    scribe.server_mode = mode
    with pytest.raises(ExecutionError) as caught:
        await scribe.get_prompt("broken", {})
    assert ("secret" in caught.value.message) is (mode is ServerMode.SIMULATION)


@on_loop
async def test_prompts_come_and_go_counted_and_told() -> None:
    scribe, told = Scribe(), list[int]()
    scribe.prompts.on_change = lambda: told.append(scribe.prompts.version)
    before = scribe.prompts.version
    scribe.prompt(name="later")(lambda: "x")
    scribe.prompts.remove("simple")
    assert told == [before + 1, before + 2]
    with pytest.raises(UnknownPromptError, match="simple"):
        await scribe.get_prompt("simple", {})
    with pytest.raises(UnknownPromptError):
        scribe.prompts.remove("simple")


def test_an_unknown_option_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="'mode'"):
        PromptRegistry()(mode="simulation")(lambda: "x")  # type: ignore[call-overload]
