"""Many sessions played together: the lanes of one connection, or of one trainer in this process."""

from openenv_lite.vector.columns import encoded
from openenv_lite.vector.lane import Lane
from openenv_lite.vector.vector import Vector

__all__ = ["Lane", "Vector", "encoded"]
