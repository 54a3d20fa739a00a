"""A served environment as rLLM takes it. Its engines ask for methods, not for a base class.

A class derived from rLLM's `BaseEnv` is reset twice by its `Workflow`; these are reset once.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self, Unpack

import msgspec

from openenv_lite.client.target import ASGIApp, ConnectionOptions
from openenv_lite.client.vector_plan import Place
from openenv_lite.errors import InvalidArgumentsError
from openenv_lite.trainers.ending import end_with
from openenv_lite.trainers.origin import Origin
from openenv_lite.trainers.outcome import Outcome, failure
from openenv_lite.trainers.rows import options_of
from openenv_lite.trainers.spoken import answer_to, function_of
from openenv_lite.trainers.turn import Turn, play

__all__ = ["RllmEnvironment", "environment_class"]

_FINISH = "finish"
"""What rLLM's `ToolAgent` says is called where the model called nothing."""

Told = tuple[Any, float, bool, dict[str, Any]]


class RllmEnvironment:
    """One environment and its episodes. A subclass knows where it is.

    An action is a list of tool calls as OpenAI has them, which rLLM's `ToolAgent` makes; one of
    them; or text, read as Hermes and Qwen write tool calls. Its session ends by `close`, or when
    this is collected; after `close` it can be reset again.

    Args:
        task: What `reset` is told where it is given no task.
    """

    idx: Any = None
    """rLLM numbers the environments of a batch."""

    _origin: ClassVar[Origin]

    def __init__(self, task: Mapping[str, Any] | None = None) -> None:
        self.task = {**(task or {})}
        self._episodes = self._origin.episodes()
        end_with(self, self._episodes.close)

    def reset(self, task: Mapping[str, Any] | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin an episode.

        Args:
            task: A row of the dataset, of which the environment's `reset` is told what JSON can
                carry, and takes what it knows.

        Returns:
            `{"question": ...}`, the task's own and what the environment shows first; and the
            metadata of that, with OpenAI's schemas of the tools under `tools`.

        Raises:
            OpenEnvError: There is no episode.
        """
        if task is not None:
            self.task = {**task}
        first = self._episodes.reset(**options_of(self.task))
        asked = [str(self.task.get("question") or ""), first.text]
        tools = [function_of(each) for each in self._episodes.tools]
        question = "\n\n".join(each for each in asked if each)
        return {"question": question}, {**first.metadata, "tools": tools}

    def step(self, action: Any) -> Told:
        """Carry out the tool calls of an action.

        Returns:
            `{"tool_outputs": {id: text}}`, or for text what stands below it in the chat; the sum
            of the rewards; whether the episode is over; the metadata of the last call.

        Raises:
            OpenEnvError: The environment is lost, and the episode's reward would be none of the
                model's.
        """
        action = getattr(action, "action", action)  # a workflow passes rLLM's Action itself
        if isinstance(action, str):
            turn = play(self._episodes, action)
            return _told(turn, answer_to(turn.outcomes))
        outcomes: list[Outcome] = []
        texts: dict[str, str] = {}
        for place, call in enumerate([action] if isinstance(action, Mapping) else action or ()):
            if self._is_finish(call):
                return {}, Turn(outcomes).reward, True, {}
            outcomes.append(self._called(call))
            texts[str(call.get("id", place))] = outcomes[-1].text  # an id may come twice
            if outcomes[-1].done:
                break
        return _told(Turn(outcomes), {"tool_outputs": texts})

    def close(self) -> None:
        """End the session."""
        self._episodes.close()

    @classmethod
    def from_dict(cls, info: Mapping[str, Any]) -> Self:
        """One for a row of the dataset."""
        return cls(info)

    @staticmethod
    def is_multithread_safe() -> bool:
        """Each has a session of its own."""
        return True

    def _is_finish(self, call: Mapping[str, Any]) -> bool:
        names = {tool.name for tool in self._episodes.tools}
        function = call.get("function")
        called = function.get("name") if isinstance(function, Mapping) else None
        return _FINISH not in names and called == _FINISH

    def _called(self, call: Mapping[str, Any]) -> Outcome:
        try:
            name, arguments = _read(call)
        except InvalidArgumentsError as error:
            return failure(error)
        return self._episodes.call(name, arguments)


def environment_class(
    base_url: str | None = None,
    *,
    app: ASGIApp | None = None,
    env: Callable[[], Any] | None = None,
    **options: Unpack[ConnectionOptions],
) -> type[RllmEnvironment]:
    """A class for `env_cls` of a workflow, or `env_class` of an engine or trainer.

    Args:
        base_url: As `EnvClient` takes it. The server must allow as many sessions as rLLM plays
            episodes at once.
        app: An ASGI app of this process to talk to without a socket.
        env: An environment's class, or a function that makes one, to play here with no server.
        **options: As `EnvClient` takes them.

    Raises:
        ValueError: Not exactly one of URL, app and env.
        ConnectionFailedError: There is no such server.
        ConfigurationError: A tool is named like a control.
    """
    origin = Origin.found(Place(base_url, app, env), options)
    return type("Environment", (RllmEnvironment,), {"_origin": origin})


class _Function(msgspec.Struct):
    """A call as OpenAI has it, its arguments perhaps as JSON text."""

    name: str
    arguments: str | dict[str, Any] = {}


def _read(call: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    try:
        name, arguments = msgspec.structs.astuple(msgspec.convert(call.get("function"), _Function))
        if isinstance(arguments, str):
            arguments = msgspec.json.decode(arguments.encode(errors="replace"), type=dict[str, Any])
        return name, arguments
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidArgumentsError(f"The tool call cannot be read: {error}") from None


def _told(turn: Turn, seen: Any) -> Told:
    metadata = dict(turn.outcomes[-1].metadata) if turn.outcomes else {}
    return seen, turn.reward, turn.done, metadata
