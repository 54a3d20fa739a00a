"""What an action or a reset led to: the model's part of it, and the trainer's."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from openenv_lite.content import from_openenv_result, outcome_of
from openenv_lite.errors import (
    EpisodeDoneError,
    ExecutionError,
    InvalidArgumentsError,
    InvalidMessageError,
    MessageTooLargeError,
    OpenEnvError,
    ToolFailedError,
    UnknownToolError,
)
from openenv_lite.types import Reward, StepResult

__all__ = ["TOLD", "Outcome", "failure", "outcome_of_result", "over"]

TOLD = (
    EpisodeDoneError,
    ExecutionError,
    InvalidArgumentsError,
    InvalidMessageError,
    MessageTooLargeError,
    ToolFailedError,
    UnknownToolError,
)
"""Errors that a model hears of and can mend; after any other the episode is of no use."""

_BESIDE = ("metadata", "reward", "done", "truncated")
"""Fields of an observation that are not for the model."""


class Outcome(NamedTuple):
    """What a reset or an action led to.

    Attributes:
        content: What the model sees, as MCP's content blocks: `{"type": "text", "text"}`,
            `{"type": "image", "data" (base64), "mimeType"}` and so on. Nothing of the rest.
        reward: None where none was given.
        done: The episode is over, truncated or not.
        truncated: It was cut off.
        metadata: Of the observation, for the trainer.
        is_error: The model is told of an error.
    """

    content: list[dict[str, Any]]
    reward: Reward = None
    done: bool = False
    truncated: bool = False
    metadata: Mapping[str, Any] = {}
    is_error: bool = False

    @property
    def text(self) -> str:
        """The content as text; of what is no text, only the kind: `[image]`."""
        return "\n".join(map(_text_of, self.content))


def outcome_of_result(result: StepResult[Any]) -> Outcome:
    """From a client's reply; `observation` is plain values."""
    content, is_error = _shown(result.observation)
    told = result.reward, result.done, result.truncated, result.metadata
    return Outcome(content, *told, is_error)


def failure(error: OpenEnvError) -> Outcome:
    """What the model is told of one of the errors `TOLD`."""
    return Outcome(
        [_text(f"Error: {error.message}")],
        done=isinstance(error, EpisodeDoneError),
        is_error=True,
    )


def over() -> Outcome:
    """What the model is told of each call after the end of an episode."""
    return failure(EpisodeDoneError("The episode is over: nothing more can be done in it."))


def _shown(observation: Any) -> tuple[list[dict[str, Any]], bool]:
    """The blocks, and whether they tell of an error."""
    if not isinstance(observation, dict):
        return outcome_of(observation).content, False
    error = observation.get("error")
    if "tool_name" in observation and isinstance(error, dict):
        return [_text(f"Error: {error.get('message', '')}")], True
    if "tool_name" in observation and "result" in observation:
        result = observation["result"]
        called = from_openenv_result(result) if _has_blocks(result) else outcome_of(result)
        return called.content, called.is_error
    fields = {name: value for name, value in observation.items() if name not in _BESIDE}
    return _fields(fields), False


def _has_blocks(result: Any) -> bool:
    """Whether it is as a tool's is sent, and no value of the tool's own that has a `content`."""
    content = result.get("content") if isinstance(result, dict) else None
    return isinstance(content, list) and all(isinstance(each, dict) for each in content)


def _fields(fields: dict[str, Any]) -> list[dict[str, Any]]:
    """One text is shown as it is, no field as nothing, and everything else as JSON."""
    if not fields:
        return []
    values = [*fields.values()]
    is_text = len(values) == 1 and isinstance(values[0], str)
    return outcome_of(values[0] if is_text else fields).content


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _text_of(block: Mapping[str, Any]) -> str:
    if block.get("type") == "text":
        return str(block.get("text", ""))
    resource = block.get("resource")
    if isinstance(resource, dict) and "text" in resource:
        return str(resource["text"])
    return f"[{block.get('type')}]"
