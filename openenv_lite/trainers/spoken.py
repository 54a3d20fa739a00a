"""Tool calls in plain text, as Hermes and Qwen write them, for trainers that know only text."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from openenv_lite import codec
from openenv_lite.errors import InvalidArgumentsError
from openenv_lite.trainers.outcome import Outcome
from openenv_lite.types import ToolSpec

__all__ = ["Call", "Messages", "answer_to", "calls_in", "function_of", "with_first", "with_tools"]

Messages = list[dict[str, Any]]
"""A chat: each message has `role` and `content`."""

_HOW = 'Write <tool_call>{"name": "...", "arguments": {...}}</tool_call>.'

_CALL = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)
"""The end may be missing: where generation stops at it, some engines leave it out."""

_END_OF_THOUGHT = "</think>"

_TOOLS = """\
# Tools

To call a tool, write its name and arguments as JSON between <tool_call> and </tool_call>:
<tool_call>
{{"name": "<name of the tool>", "arguments": {{"<name of the argument>": "<value>"}}}}
</tool_call>
You can call these:
<tools>
{}
</tools>"""


class Call(msgspec.Struct):
    """A tool that a model calls."""

    name: str
    arguments: dict[str, Any] = {}


def calls_in(text: str) -> list[Call]:
    """The calls in what a model said, at least one; what it thought before is none of them.

    Raises:
        InvalidArgumentsError: There is none, or one cannot be read; the text tells a model how to
            write it.
    """
    said = text.rpartition(_END_OF_THOUGHT)[2]
    written = _CALL.findall(said)
    if not written:
        raise InvalidArgumentsError(f"There is no tool call. {_HOW}")
    return [_read(each) for each in written]


def _read(written: str) -> Call:
    try:
        return msgspec.json.decode(written.encode(errors="replace"), type=Call)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidArgumentsError(f"The tool call cannot be read: {error}. {_HOW}") from None


def with_tools(prompt: Sequence[Mapping[str, Any]], tools: Iterable[ToolSpec]) -> Messages:
    """A chat whose system message, made where there is none, tells of the tools at its end."""
    messages = [dict(each) for each in prompt]
    if not messages or messages[0]["role"] != "system":
        messages.insert(0, {"role": "system", "content": ""})
    _extend(messages[0], _TOOLS.format("\n".join(_line(each) for each in tools)))
    return messages


def with_first(prompt: Sequence[Mapping[str, Any]], text: str) -> Messages:
    """A chat that ends in what the environment shows before any action; "" is nothing."""
    messages = [dict(each) for each in prompt]
    if text:
        if not messages or messages[-1]["role"] != "user":
            messages.append({"role": "user", "content": ""})
        _extend(messages[-1], text)
    return messages


def _extend(message: dict[str, Any], text: str) -> None:
    message["content"] = f"{message['content']}\n\n{text}".strip()


def _line(tool: ToolSpec) -> str:
    return codec.encode(function_of(tool)).decode()


def function_of(tool: ToolSpec) -> dict[str, Any]:
    """The tool as OpenAI's function schema."""
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.input_schema,
    }
    return {"type": "function", "function": function}


def answer_to(outcomes: Iterable[Outcome]) -> str:
    """What a model sees of its calls."""
    return "\n".join(f"<tool_response>\n{each.text}\n</tool_response>" for each in outcomes)
