"""A served environment as TRL's `GRPOTrainer` and `AsyncGRPOTrainer` take it."""

import base64
import copyreg
import importlib
import io
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, NamedTuple, Unpack, get_args

from openenv_lite.client.target import ASGIApp, ConnectionOptions
from openenv_lite.client.vector_plan import Place
from openenv_lite.errors import OpenEnvError
from openenv_lite.trainers.ending import end_with
from openenv_lite.trainers.methods import attribute_name, method_of
from openenv_lite.trainers.origin import Origin
from openenv_lite.trainers.outcome import Outcome
from openenv_lite.trainers.rows import options_of

__all__ = ["TrlEnvironment", "TrlOptions", "environment_class"]

Return = Literal["sum", "last"]

Content = str | list[dict[str, Any]]
"""Text, or `{"type": "text", "text"}` and `{"type": "image", "image" (PIL's)}` in a list."""


class TrlOptions(ConnectionOptions, total=False):
    """Keyword arguments of `environment_class` beside those that say where the environment is.

    Attributes:
        name: Of the class, under which TRL logs the reward; `Environment` by default. Where one
            trainer has several, each needs its own.
        reward: Whether `get_reward` gives the `"sum"` of an episode's rewards (the default) or the
            `"last"` of them.
    """

    name: str
    reward: Return


class _Plan(NamedTuple):
    """All that a class is made of; it can be pickled if `app` and `env` can."""

    origin: Origin
    name: str
    reward: Return


class _Made(type):
    """The type of classes that are pickled by what they were made of."""

    _plan: _Plan


class TrlEnvironment(metaclass=_Made):
    """One environment in TRL's pool. A subclass has a method for each tool, and nothing else.

    For one thread at a time. Its session ends when it is collected, or the process exits.
    """

    _plan: ClassVar[_Plan]

    def __init__(self) -> None:
        self._episodes = self._plan.origin.episodes()
        self._rewards: list[float] = []
        self._failure: OpenEnvError | None = None
        end_with(self, self._episodes.close)

    def reset(self, /, **row: Any) -> Content | None:
        """Begin an episode.

        Args:
            **row: A row of the dataset. What the environment's `reset` takes, and `seed`, is told
                to it; never the prompt, nor None, nor what JSON cannot carry.

        Returns:
            What the model sees first, to stand below its prompt; None where that is nothing.

        Raises:
            OpenEnvError: There is no episode.
        """
        self._rewards, self._failure = [], None
        outcome = self._episodes.reset(**options_of(row, ("prompt",)))
        self._keep(outcome)
        content = _content(outcome)
        is_joined = isinstance(content, str) and _ends_in_text(row.get("prompt"))
        return f"\n\n{content}" if content and is_joined else content or None

    def get_reward(self) -> float:
        """The reward of the episode; 0 where none was given.

        Raises:
            OpenEnvError: The episode broke off, and its reward would be none of the model's.
        """
        if self._failure is not None:
            raise self._failure
        if self._plan.reward == "last":
            return self._rewards[-1] if self._rewards else 0.0
        return float(sum(self._rewards))

    def _call(self, tool: str, arguments: Mapping[str, Any]) -> Content:
        """Call a tool; TRL tells a model of whatever this raises, so `get_reward` raises it too."""
        try:
            outcome = self._episodes.call(tool, arguments)
        except OpenEnvError as error:
            self._failure = error
            raise
        self._keep(outcome)
        return _content(outcome)

    def _keep(self, outcome: Outcome) -> None:
        if outcome.reward is not None:
            self._rewards.append(float(outcome.reward))


def environment_class(
    base_url: str | None = None,
    *,
    app: ASGIApp | None = None,
    env: Callable[[], Any] | None = None,
    **options: Unpack[TrlOptions],
) -> type[TrlEnvironment]:
    """A class for `GRPOTrainer(environment_factory=...)`, with a method for each tool.

    An environment without tools has one, named after its action. The model is told what it did
    wrong; a lost server ends the run. The class can be pickled, which `AsyncGRPOTrainer` needs.

    Args:
        base_url: As `EnvClient` takes it. The server must allow as many sessions as TRL has
            completions in a batch.
        app: An ASGI app of this process to talk to without a socket. Not in a notebook, where an
            event loop runs already.
        env: An environment's class, or a function that makes one, to play here with no server;
            likewise.
        **options: See `TrlOptions`.

    Raises:
        ValueError: Not exactly one of URL, app and env, or no such way to count rewards.
        ConnectionFailedError: There is no such server.
        ConfigurationError: A tool is named like a control.
    """
    others: Any = dict(options)
    name, reward = others.pop("name", "Environment"), others.pop("reward", "sum")
    if reward not in get_args(Return):
        raise ValueError(f"reward must be one of {get_args(Return)}, not {reward!r}")
    return _class_of(_Plan(Origin.found(Place(base_url, app, env), others), name, reward))


def _class_of(plan: _Plan) -> type[TrlEnvironment]:
    members: dict[str, Any] = {"_plan": plan}
    for tool in plan.origin.toolbox.tools:
        members[attribute_name(tool.name, members)] = method_of(tool, TrlEnvironment._call)
    made: Any = _Made(plan.name, (TrlEnvironment,), members)
    kind: type[TrlEnvironment] = made
    return kind


def _pickled(made: _Made) -> Any:
    return made.__qualname__ if made is TrlEnvironment else (_class_of, (made._plan,))


copyreg.pickle(_Made, _pickled)


def _ends_in_text(prompt: Any) -> bool:
    """Whether what TRL puts behind the prompt would stick to its last word."""
    last = prompt[-1].get("content") if isinstance(prompt, list) and prompt else None
    return isinstance(last, str) and last != "" and not last[-1].isspace()


def _content(outcome: Outcome) -> Content:
    """Text, unless there is something to look at."""
    if not any(block.get("type") == "image" for block in outcome.content):
        return outcome.text
    return [_part(block) for block in outcome.content]


def _part(block: dict[str, Any]) -> dict[str, Any]:
    if block.get("type") != "image":
        return {"type": "text", "text": Outcome([block]).text}
    pictures = importlib.import_module("PIL.Image")  # who has no pictures need not have it
    return {"type": "image", "image": pictures.open(io.BytesIO(base64.b64decode(block["data"])))}
