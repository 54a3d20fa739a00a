"""The episodes of one environment, as an adapter to a trainer plays them."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Self, Unpack

from openenv_lite.client.async_client import GenericEnvClient
from openenv_lite.client.described import schemas_of
from openenv_lite.client.sync_client import SyncEnvClient
from openenv_lite.client.sync_vector_client import SyncVectorEnvClient
from openenv_lite.client.target import ASGIApp, ConnectionOptions
from openenv_lite.client.translation import TypeArguments
from openenv_lite.client.vector_plan import Place, VectorPlan
from openenv_lite.client.vector_words import VectorWords
from openenv_lite.errors import OpenEnvError, SessionError, TransportError
from openenv_lite.trainers.outcome import TOLD, Outcome, failure, outcome_of_result, over
from openenv_lite.trainers.rows import seed_and_others
from openenv_lite.trainers.toolbox import Toolbox
from openenv_lite.types import StepResult, ToolSpec

__all__ = ["Episodes"]

_LIST_TOOLS = {"type": "list_tools"}


class Episodes:
    """One environment and its episodes, one after another; connects on the first call.

    For one thread at a time, and not on a running event loop. A connection that was lost while the
    model thought is made again, and the episode goes on where it was; OpenEnv's servers cannot do
    so, and end it after 40 s without a call.

    Args:
        base_url: As `EnvClient` takes it; a server of OpenEnv's will do.
        app: An ASGI app of this process to talk to without a socket.
        env: An environment's class, or a function that makes one, to play here with no server.
        toolbox: What was found before, so that nobody need look again.
        **options: As `EnvClient` takes them.

    Raises:
        ValueError: Not exactly one of URL, app and env.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        app: ASGIApp | None = None,
        env: Callable[[], Any] | None = None,
        toolbox: Toolbox | None = None,
        **options: Unpack[ConnectionOptions],
    ) -> None:
        place = Place(base_url, app, env)
        if sum(each is not None for each in place) != 1:
            raise ValueError("Say where the environment is, by one of base_url, app and env")
        others: Any = {**options, "encoding": "json"}  # as on a server's `/ws`, to the letter
        self._plan = VectorPlan.of(place, 1, others)
        self._player: _Client | _Lane = (
            _Client(place, options) if env is None else _Lane(self._plan)
        )
        self._is_over = False
        if toolbox is not None:
            self.toolbox = toolbox

    @functools.cached_property
    def toolbox(self) -> Toolbox:
        """What a model may call; asked for once, in a session of this environment's own.

        Raises:
            ConnectionFailedError: There is no such server.
            ConfigurationError: A tool is named like a control, or the server tells no schemas.
        """
        listed = self._listed()
        if listed:
            return Toolbox.of_tools(listed)
        action = schemas_of(self._plan)["action"]
        calls_tools = "tool_name" in action.get("properties", {})
        return Toolbox.of_tools([]) if calls_tools else Toolbox.of_action(action)

    def _listed(self) -> Any:
        """The tools; None where the environment knows of none."""
        try:
            seen = self._player.step(_LIST_TOOLS).observation
        except (TransportError, SessionError):
            raise
        except OpenEnvError:
            return None  # that is no action of this environment
        return seen.get("tools") if isinstance(seen, dict) else None

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """What a model may call: the tools, or one that stands for the environment's action."""
        return self.toolbox.tools

    def reset(self, **options: Any) -> Outcome:
        """Begin an episode.

        Args:
            **options: `seed`, `episode_id` and the environment's own; others are dropped there.

        Raises:
            OpenEnvError: There is no episode.
        """
        outcome = outcome_of_result(self._player.reset(options))
        self._is_over = outcome.done
        return outcome

    def call(self, name: str, arguments: Any) -> Outcome:
        """Call a tool; what the model did wrong it is told.

        Args:
            name: As the model wrote it.
            arguments: Likewise; a mapping, or it is the model's mistake.

        Raises:
            OpenEnvError: Whatever is not the model's to mend: see `TOLD`.
        """
        try:
            action = self.toolbox.action(name, arguments)
        except TOLD as error:
            return failure(error)
        return self.act(action)

    def act(self, action: Any) -> Outcome:
        """Carry out an action; after the end of an episode the model is told of that instead.

        Args:
            action: A Struct, model or dict, as the environment takes it.

        Raises:
            OpenEnvError: As `call`.
        """
        if self._is_over:
            return over()
        try:
            outcome = outcome_of_result(self._player.step(action))
        except TOLD as error:
            outcome = failure(error)
        self._is_over = outcome.done
        return outcome

    def close(self) -> None:
        """End the session; a later call begins anew."""
        self._player.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class _Client:
    """Plays on a server, in OpenEnv's protocol."""

    def __init__(self, place: Place, options: ConnectionOptions) -> None:
        client = GenericEnvClient(place.base_url, app=place.app, **options)
        self._client: SyncEnvClient[Any, Any, Any] = client.sync()
        self.step: Callable[[Any], StepResult[Any]] = self._client.step
        self.close = self._client.close

    def reset(self, options: Mapping[str, Any]) -> StepResult[Any]:
        return self._client.reset(**options)


class _Lane:
    """Plays in this process, with no server: one lane, told of as a server tells of it."""

    def __init__(self, plan: VectorPlan) -> None:
        words = VectorWords(plan.form, TypeArguments())
        self._client: SyncVectorEnvClient[Any, Any, Any] = SyncVectorEnvClient(plan, words)
        self.close = self._client.close

    def step(self, action: Any) -> StepResult[Any]:
        return self._client.step([action])[0]

    def reset(self, options: Mapping[str, Any]) -> StepResult[Any]:
        seed, others = seed_and_others(options)
        return self._client.reset(seed, **others)[0]
