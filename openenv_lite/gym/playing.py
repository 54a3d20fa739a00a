"""What both adapters share: a connected client, and how its types appear to Gymnasium."""

from collections.abc import Mapping
from typing import Any

from gymnasium import Space

from openenv_lite.batches import Autoreset
from openenv_lite.client.described import schemas_of
from openenv_lite.client.sync_vector_client import SyncVectorEnvClient
from openenv_lite.client.target import ConnectionOptions
from openenv_lite.client.translation import TypeArguments
from openenv_lite.client.vector_plan import Encoding, Place, VectorPlan
from openenv_lite.client.vector_words import VectorWords
from openenv_lite.gym.layout import Layout
from openenv_lite.gym.unsent import UnsentWords

__all__ = ["Client", "GymOptions", "connected", "reset_options"]

Client = SyncVectorEnvClient[Any, Any, Any]

_NOT_OPTIONS = {"seed", "seeds", "lanes"}
"""What a reset is told otherwise."""


class GymOptions(ConnectionOptions, total=False):
    """Keyword arguments of both adapters beside those that say where and how many.

    Spaces are read off the server's `/schema`, or the class's types, where they are not given.
    """

    observation_space: Space[Any]
    action_space: Space[Any]
    encoding: Encoding
    mode: str | None


def connected(
    place: Place, num_envs: int, autoreset: Autoreset, options: GymOptions
) -> tuple[Client, Layout]:
    """A client whose lanes are open.

    Raises:
        ConfigurationError: A space is neither told nor given.
        OpenEnvError: As `VectorEnvClient.connect`.
    """
    others: Any = {**options}
    spaces = others.pop("observation_space", None), others.pop("action_space", None)
    plan = VectorPlan.of(place, num_envs, others | {"autoreset": autoreset})
    layout = Layout.of(schemas_of(plan), *spaces)
    kind = VectorWords if plan.env is None or not layout.is_numeric else UnsentWords
    words = kind(plan.form, TypeArguments(Any, layout.seen, Any))
    client: Client = SyncVectorEnvClient(plan, words)
    return client.__enter__(), layout


def reset_options(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Gymnasium's options for a reset: one by one for those who name them, and as a whole.

    A server drops what the author's `reset` does not take, and `gym_env` takes `options`.
    """
    if not options:
        return {}
    one_by_one = {name: value for name, value in options.items() if name not in _NOT_OPTIONS}
    return {**one_by_one, "options": {**options}}
