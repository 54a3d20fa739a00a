"""A served environment as SkyRL takes it: text in, text out."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Unpack

from openenv_lite.client.target import ASGIApp, ConnectionOptions
from openenv_lite.client.vector_plan import Place
from openenv_lite.trainers.ending import end_with
from openenv_lite.trainers.origin import Origin
from openenv_lite.trainers.rows import options_of
from openenv_lite.trainers.spoken import Messages, answer_to, with_first, with_tools
from openenv_lite.trainers.turn import Turn, play

try:
    from skyrl_gym.envs.base_text_env import BaseTextEnv, BaseTextEnvStepOutput
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"SkyRL's interface needs {error.name}: pip install skyrl-gym", name=error.name
    ) from error

__all__ = ["SkyRLEnvironment", "environment_class"]

_NOT_OPTIONS = {"max_turns", "env_class", "reward_spec", "data_source"}
"""Columns that are SkyRL's own."""


class SkyRLEnvironment(BaseTextEnv):
    """One episode. A subclass knows where the environment is.

    What the model says is read as Hermes and Qwen write tool calls:
    `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`, one or more. A message without any
    is answered by how to write one; the episode goes on until the environment or `max_turns` ends
    it. Its session ends by `close`, or when this is collected.

    Args:
        env_config: SkyRL's configuration of this environment; not needed.
        extras: A row of the dataset, of which the environment's `reset` is told what JSON can
            carry, and takes what it knows; `max_turns` is the trainer's.
    """

    _origin: ClassVar[Origin]

    def __init__(self, env_config: Any = None, extras: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        row = extras or {}
        self.max_turns = row.get("max_turns")
        self._options = options_of(row, _NOT_OPTIONS)
        self._episodes = self._origin.episodes()
        self._end = end_with(self, self._episodes.close)
        self._reward = 0.0
        self._mistakes = 0

    def init(self, prompt: Messages) -> tuple[Messages, dict[str, Any]]:
        """Begin the episode.

        Returns:
            The prompt, with the tools in its system message and what the environment shows first
            at its end; the metadata of that.

        Raises:
            OpenEnvError: There is no episode.
        """
        first = self._episodes.reset(**self._options)
        prompt = with_first(with_tools(prompt, self._episodes.tools), first.text)
        return prompt, dict(first.metadata)

    def step(self, action: str) -> BaseTextEnvStepOutput:
        """Carry out the tool calls in what the model said.

        Raises:
            OpenEnvError: The environment is lost, and the episode's reward would be none of the
                model's.
        """
        self.turns += 1
        turn = play(self._episodes, action)
        self._reward += turn.reward
        self._mistakes += turn.mistakes
        done = turn.done or self.turns == self.max_turns
        return {
            "observations": [] if done else [{"role": "user", "content": answer_to(turn.outcomes)}],
            "reward": turn.reward,
            "done": done,
            "metadata": _metadata(turn),
            "postprocessed_action": None,
        }

    def get_metrics(self) -> dict[str, Any]:
        """Of the episode: the sum of its rewards, its turns, and mistakes the model was told of."""
        return {"return": self._reward, "turns": self.turns, "mistakes": self._mistakes}

    def close(self) -> None:
        """End the session."""
        self._end()


def environment_class(
    base_url: str | None = None,
    *,
    app: ASGIApp | None = None,
    env: Callable[[], Any] | None = None,
    **options: Unpack[ConnectionOptions],
) -> type[SkyRLEnvironment]:
    """A class for `skyrl_gym.register(id, entry_point=...)`.

    Args:
        base_url: As `EnvClient` takes it. The server must allow as many sessions as SkyRL plays
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
    return type("Environment", (SkyRLEnvironment,), {"_origin": origin})


def _metadata(turn: Turn) -> dict[str, Any]:
    """What the trainer may want to know; of several calls in a message, the last's."""
    return {**turn.outcomes[-1].metadata, "truncated": turn.truncated}
