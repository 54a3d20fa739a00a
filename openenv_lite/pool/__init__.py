"""All sessions of one server: how many may exist, who holds which, and when one ends."""

from openenv_lite.pool.figures import PoolSettings, PoolStatistics
from openenv_lite.pool.pool import NewSession, Pool
from openenv_lite.pool.scout import Scout

__all__ = ["NewSession", "Pool", "PoolSettings", "PoolStatistics", "Scout"]
