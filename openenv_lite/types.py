"""The words an author and a trainer share: what goes into an environment and what comes out."""

import enum
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

import msgspec

__all__ = [
    "Action",
    "CallToolAction",
    "CallToolObservation",
    "EnvironmentMetadata",
    "ListToolsAction",
    "ListToolsObservation",
    "Observation",
    "Reward",
    "ServerMode",
    "State",
    "StepResult",
    "ToolError",
    "ToolErrorType",
    "ToolSpec",
]

ObsT = TypeVar("ObsT")

Reward = bool | int | float | None
"""A scalar; `None` where a step gives none."""


class ServerMode(enum.StrEnum):
    """Who owns the episode: a trainer (simulation), or nobody (production)."""

    SIMULATION = "simulation"
    PRODUCTION = "production"


class Action(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What an agent does in one step. Subclass it and add fields."""

    metadata: dict[str, Any] = {}


class Observation(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What an agent sees after a reset or a step. Subclass it and add fields."""

    done: bool = False
    """The episode is over, terminated or truncated."""
    truncated: bool = False
    """The episode was cut off (a time limit, say) rather than ended by its own rules."""
    reward: Reward = None
    metadata: dict[str, Any] = {}


class State(msgspec.Struct, kw_only=True, dict=True):
    """The environment's inner state, for trainers only. Further attributes may be set on it."""

    episode_id: str | None = None
    step_count: Annotated[int, msgspec.Meta(ge=0)] = 0


class StepResult(msgspec.Struct, Generic[ObsT], omit_defaults=True):
    """One reply of an environment, the same on every transport: attributes and `result["reward"]`.

    `observation` holds the author's fields without `reward` and `done`.
    """

    observation: ObsT
    reward: Reward
    done: bool
    metadata: dict[str, Any] = {}
    truncated: bool = False

    def __getitem__(self, key: str) -> Any:
        if key not in self.__struct_fields__:
            raise KeyError(key)
        return getattr(self, key)


class EnvironmentMetadata(msgspec.Struct, kw_only=True):
    """What `/metadata` tells about an environment."""

    name: str
    description: str
    readme_content: str | None = None
    version: str | None = None
    author: str | None = None
    documentation_url: str | None = None


class ListToolsAction(Action, kw_only=True, tag_field="type", tag="list_tools"):
    """Ask an environment which tools it offers; legal before the first reset."""

    type: ClassVar[str] = "list_tools"


class CallToolAction(Action, kw_only=True, tag_field="type", tag="call_tool"):
    """Call one tool."""

    type: ClassVar[str] = "call_tool"
    tool_name: str
    arguments: dict[str, Any] = {}


class ToolSpec(msgspec.Struct, kw_only=True):
    """A tool as a model sees it; `input_schema` is a JSON Schema object."""

    name: str
    description: str
    input_schema: dict[str, Any]


ToolErrorType = Literal[
    "execution_error", "invalid_args", "transport_error", "tool_not_found", "timeout"
]


class ToolError(msgspec.Struct, kw_only=True):
    """Why a tool call gave no result."""

    error_type: ToolErrorType
    message: str


class ListToolsObservation(Observation, kw_only=True):
    """The tools of an environment."""

    tools: list[ToolSpec]


class CallToolObservation(Observation, kw_only=True):
    """What a tool call gave: either a `result` or an `error`.

    `result` is `{"content": [blocks], "structured_content", "data", "is_error", "meta"}`;
    `result["data"]` is the plain return value.
    """

    tool_name: str
    result: Any = None
    error: ToolError | None = None
