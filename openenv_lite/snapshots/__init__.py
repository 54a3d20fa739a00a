"""Saved states of environments: as bytes, kept behind handles, and sealed to travel."""

from openenv_lite.snapshots.binding import Binding
from openenv_lite.snapshots.moment import Moment, moment_of, take_up
from openenv_lite.snapshots.store import Snapshots, SnapshotSettings

__all__ = ["Binding", "Moment", "SnapshotSettings", "Snapshots", "moment_of", "take_up"]
