"""A served environment as verl takes it: tools, and an agent loop that knows their episode."""

import base64
import functools
import io
from collections.abc import Mapping
from contextvars import ContextVar
from types import NoneType
from typing import Any
from uuid import uuid4

from openenv_lite import codec
from openenv_lite.client.vector_plan import Place
from openenv_lite.errors import ConfigurationError
from openenv_lite.trainers.async_episodes import AsyncEpisodes
from openenv_lite.trainers.hints import inlined
from openenv_lite.trainers.origin import Origin
from openenv_lite.trainers.outcome import Outcome
from openenv_lite.trainers.rows import options_of
from openenv_lite.trainers.spoken import function_of, with_first
from openenv_lite.trainers.trajectories import Trajectories, Trajectory
from openenv_lite.types import ToolSpec

try:
    from omegaconf import OmegaConf
    from PIL import Image
    from pydantic import ConfigDict
    from verl.experimental.agent_loop.agent_loop import AgentLoopOutput, ToolListWrap
    from verl.experimental.agent_loop.tool_agent_loop import AgentData, AgentState, ToolAgentLoop
    from verl.tools.base_tool import BaseTool
    from verl.tools.schemas import (
        OpenAIFunctionParametersSchema,
        OpenAIFunctionPropertySchema,
        OpenAIFunctionSchema,
        OpenAIFunctionToolSchema,
        ToolResponse,
    )
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"verl's interface needs {error.name}: pip install verl", name=error.name
    ) from error

__all__ = ["VerlAgentLoop", "VerlTool"]

_NOT_OPTIONS = ("type", "tool")
"""What a tool's configuration says beside how to reach the environment."""

_VERLS_OWN = ("index", "need_tools_kwargs", "tools_kwargs", "interaction_kwargs", "tool_selection")
"""Of a row's `extra_info`."""

_TYPES = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    NoneType: "null",
    list: "array",
    dict: "object",
}

_MAX_SESSIONS = 64
_IDLE_S = 3600.0


class _Environment:
    """What all tools of a process share that are configured alike."""

    def __init__(self, base_url: str | None, options: Any) -> None:
        max_sessions: int = options.pop("max_sessions", _MAX_SESSIONS)
        idle_s: float = options.pop("idle_s", _IDLE_S)
        self.toolbox = Origin.found(Place(base_url, None, None), options).toolbox
        new = functools.partial(AsyncEpisodes, base_url, toolbox=self.toolbox, **options)
        self.trajectories = Trajectories(new, max_sessions, idle_s)


_current: ContextVar[tuple[_Environment | None, Trajectory | None]]
_current = ContextVar("current", default=(None, None))
"""Of the agent loop that runs, if it is ours."""


@functools.cache
def _environment(config: bytes) -> _Environment:
    options = codec.parse(config)
    return _Environment(options.pop("base_url", None), options)


class VerlTool(BaseTool):
    """A tool of an environment, for `multi_turn.tool_config_path`.

    The calls of a trajectory, of all tools that are configured alike, are made in one session,
    which begins with the first of them, as its `create_kwargs` tell `reset`. It ends when verl
    lets go of the trajectory, at the latest after `idle_s`. The rewards of the calls are what verl
    keeps as `tool_rewards`; a reward function finds them in its `extra_info`.

    Args:
        config: `base_url` and `tool`, its name; `max_sessions` that this process may have open at
            once (64), beyond which trajectories wait for each other; `idle_s` (3600); and what
            `EnvClient` takes.
        tool_schema: What the model is told; by default what the environment tells.

    Raises:
        ConfigurationError: There is no such tool.
        ConnectionFailedError: There is no such server.
    """

    def __init__(
        self, config: dict[str, Any], tool_schema: OpenAIFunctionToolSchema | None = None
    ) -> None:
        others = {name: each for name, each in config.items() if name not in _NOT_OPTIONS}
        self._environment = _environment(_key(others))
        self._create_kwargs: dict[str, dict[str, Any]] = {}
        super().__init__(config, tool_schema)

    def get_openai_tool_schema(self) -> OpenAIFunctionToolSchema:
        """The environment's own schema, whole; verl's classes keep but a part of one."""
        tools = {tool.name: tool for tool in self._environment.toolbox.tools}
        name = self.config.get("tool")
        if name not in tools:
            raise ConfigurationError(
                f"The environment has no tool {name!r}: set `tool` to one of {[*tools]}"
            )
        return _schema(tools[name])

    async def create(
        self, instance_id: str | None = None, **kwargs: Any
    ) -> tuple[str, ToolResponse]:
        """Keep the options for `reset` until `execute`, which knows whose they are."""
        instance_id = instance_id or uuid4().hex
        self._create_kwargs[instance_id] = kwargs.get("create_kwargs") or {}
        return instance_id, ToolResponse()

    async def execute(
        self, instance_id: str, parameters: Any, **kwargs: Any
    ) -> tuple[ToolResponse, float, dict[str, Any]]:
        """Call the tool.

        Args:
            instance_id: From `create`.
            parameters: The arguments that the model wrote.
            **kwargs: `agent_data`, the trajectory.

        Returns:
            What the model sees, the reward (0 where none was given), and no metrics.

        Raises:
            OpenEnvError: Whatever is not the model's to mend.
        """
        options = options_of(self._create_kwargs.get(instance_id, {}))
        trajectory = self._trajectory(kwargs["agent_data"])
        outcome = await trajectory.call(self.name, parameters, options)
        return _response(outcome), float(outcome.reward or 0), {}

    async def release(self, instance_id: str, **kwargs: Any) -> None:
        """Forget the options; the session goes on."""
        self._create_kwargs.pop(instance_id, None)

    def _trajectory(self, agent_data: Any) -> Trajectory:
        environment, trajectory = _current.get()
        if trajectory is not None and environment is self._environment:
            return trajectory
        return self._environment.trajectories.of(agent_data)


class VerlAgentLoop(ToolAgentLoop):
    """verl's `tool_agent` in an environment, for `agent.agent_loop_config_path`.

    An episode begins with each trajectory: `reset` is told the row's `extra_info`, and takes of it
    what it knows. What the environment shows first stands at the end of the prompt, the episode's
    end ends the trajectory, and `reward_score` is the sum of its rewards. Where the server is lost
    the trajectory fails.

    Args:
        *args: As verl gives them.
        environment: `base_url`, and what else `VerlTool` takes.
        tools: verl's own; those of the environment come after them.
        **kwargs: As verl gives them.
    """

    def __init__(
        self,
        *args: Any,
        environment: Mapping[str, Any],
        tools: ToolListWrap | None = None,
        **kwargs: Any,
    ) -> None:
        config: Any = OmegaConf.to_container(OmegaConf.create({**environment}))
        key = _key(config)
        self._environment = _environment(key)
        others = tools.tools if tools else []
        super().__init__(*args, tools=ToolListWrap([*others, *_tools(key)]), **kwargs)

    async def run(self, sampling_params: dict[str, Any], **kwargs: Any) -> AgentLoopOutput:
        """Play an episode.

        Raises:
            OpenEnvError: There is none, or it broke off, and its reward would be none of the
                model's.
        """
        trajectory = self._environment.trajectories.new()
        before = _current.set((self._environment, trajectory))
        try:
            first = await trajectory.begin(options_of(kwargs.get("extra_info") or {}, _VERLS_OWN))
            kwargs["raw_prompt"] = with_first(kwargs["raw_prompt"], first.text)
            output = await super().run(sampling_params, **kwargs)
        finally:
            _current.reset(before)
            await trajectory.end()
        if trajectory.failure is not None:
            raise trajectory.failure
        output.reward_score = trajectory.reward
        return output

    async def _handle_processing_tools_state(self, agent_data: AgentData) -> AgentState:
        state = await super()._handle_processing_tools_state(agent_data)
        _, trajectory = _current.get()
        return AgentState.TERMINATED if trajectory is not None and trajectory.done else state


@functools.cache
def _tools(key: bytes) -> tuple[VerlTool, ...]:
    config = codec.parse(key)
    names = [tool.name for tool in _environment(key).toolbox.tools]
    return tuple(VerlTool({**config, "tool": name}) for name in names)


def _key(config: Mapping[str, Any]) -> bytes:
    return codec.encode(dict(sorted(config.items())))


class _Property(OpenAIFunctionPropertySchema):
    model_config = ConfigDict(extra="allow")


class _Parameters(OpenAIFunctionParametersSchema):
    model_config = ConfigDict(extra="allow")
    properties: dict[str, _Property]


class _Function(OpenAIFunctionSchema):
    parameters: _Parameters


class _ToolSchema(OpenAIFunctionToolSchema):
    function: _Function


def _schema(tool: ToolSpec) -> OpenAIFunctionToolSchema:
    """With a `type` for each parameter, which verl demands and JSON Schema does not."""
    function = function_of(tool)
    definitions = tool.input_schema.get("$defs", {})
    fields = inlined(tool.input_schema.get("properties", {}), definitions)
    typed = {name: {"type": _types(field), **field} for name, field in fields.items()}
    whole = {"type": "object", **tool.input_schema, "properties": typed}
    whole.pop("$defs", None)
    function["function"]["parameters"] = whole
    return _ToolSchema.model_validate(function)


def _types(schema: Mapping[str, Any]) -> list[str]:
    """The types of a schema's values, or of its alternatives; all there are where it is silent."""
    values = [schema["const"]] if "const" in schema else schema.get("enum", ())
    alternatives = schema.get("anyOf") or schema.get("oneOf") or ()
    found = [_TYPES.get(type(each)) for each in values] or [e.get("type") for e in alternatives]
    known = [*dict.fromkeys(each for each in found if isinstance(each, str))]
    return known if found and len(known) == len({*map(str, found)}) else [*_TYPES.values()]


def _response(outcome: Outcome) -> ToolResponse:
    texts = [each["text"] for each in outcome.content if each["type"] == "text"]
    images = [_image(each["data"]) for each in outcome.content if each["type"] == "image"]
    if not images:
        return ToolResponse(text=outcome.text)
    return ToolResponse(text="\n".join(texts), image=images)


def _image(data: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
