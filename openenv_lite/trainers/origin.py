"""Where the environments of a trainer come from."""

from typing import NamedTuple

from openenv_lite.client.target import ConnectionOptions
from openenv_lite.client.vector_plan import Place
from openenv_lite.trainers.episodes import Episodes
from openenv_lite.trainers.toolbox import Toolbox

__all__ = ["Origin"]


class Origin(NamedTuple):
    """All that is needed for another session.

    Attributes:
        place: The server, or the class to play here.
        connection: How to connect.
        toolbox: What a model may call there.
    """

    place: Place
    connection: ConnectionOptions
    toolbox: Toolbox

    @classmethod
    def found(cls, place: Place, connection: ConnectionOptions) -> "Origin":
        """Look what a model may call there.

        Raises:
            ValueError: Not exactly one place.
            ConnectionFailedError: There is no such server.
            ConfigurationError: A tool is named like a control.
        """
        with Episodes(**place._asdict(), **connection) as episodes:
            return cls(place, connection, episodes.toolbox)

    def episodes(self) -> Episodes:
        """A session of its own, which connects on the first call."""
        return Episodes(**self.place._asdict(), toolbox=self.toolbox, **self.connection)
