"""What happened in episodes, as JSON lines: written while they are played, and read afterwards."""

from openenv_lite.recording.reading import load
from openenv_lite.recording.tables import schema, table
from openenv_lite.recording.trajectory import Act, Trajectory

__all__ = ["Act", "Trajectory", "load", "schema", "table"]
