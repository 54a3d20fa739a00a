"""Every law there is, in an order in which none comes before one that it rests on."""

from types import ModuleType

from openenv_lite.testing.law import Law
from openenv_lite.testing.laws import (
    determinism,
    isolation,
    lifecycle,
    lives,
    refusals,
    rewards,
    security,
    shape,
    snapshots,
    tools,
)

__all__ = ["LAWS"]


def _of(module: ModuleType) -> list[Law]:
    return [each for each in vars(module).values() if isinstance(each, Law)]


_CHAPTERS = (
    *(lifecycle, shape, rewards, refusals, isolation, determinism),
    *(snapshots, lives, tools, security),
)

LAWS: list[Law] = [law for module in _CHAPTERS for law in _of(module)]
