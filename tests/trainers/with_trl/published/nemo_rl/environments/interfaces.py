"""NeMo-RL's interface as it publishes it, for its package on the registry is empty.

Of its repository, nemo_rl/environments/interfaces.py.
"""

import abc
from typing import Any, NamedTuple

import torch

__all__ = ["EnvironmentInterface", "EnvironmentReturn"]


class EnvironmentReturn(NamedTuple):
    """What a step gives, each field with an entry for each row."""

    observations: list[dict[str, str]]
    metadata: list[Any]
    next_stop_strings: list[list[str] | None] | list[None]
    rewards: torch.Tensor
    terminateds: torch.Tensor
    answers: list[str | None] | None = None


class EnvironmentInterface(abc.ABC):
    """What rollouts call."""

    @abc.abstractmethod
    def step(self, message_log_batch: list[Any], metadata: list[Any]) -> EnvironmentReturn: ...

    @abc.abstractmethod
    def global_post_process_and_metrics(self, batch: Any) -> tuple[Any, dict[str, Any]]: ...
