"""What a vector client plays with: where, how many lanes, and how they are told of."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import msgspec

from openenv_lite.batches import JSON, MSGPACK, Autoreset, Format
from openenv_lite.client.target import ASGIApp, ConnectionOptions, ConnectionSettings, Target
from openenv_lite.types import ServerMode

__all__ = ["Lanes", "Place", "VectorOptions", "VectorPlan"]

Encoding = Literal["msgpack", "json"]

_FORMATS: dict[str, Format] = {"msgpack": MSGPACK, "json": JSON}
_OWN = ("batch_size", "autoreset", "encoding", "mode", "snapshot_key")


class VectorOptions(ConnectionOptions, total=False):
    """Keyword arguments of a vector client beside those that say where and how many."""

    batch_size: int | None
    autoreset: str
    encoding: Encoding
    mode: str | None
    snapshot_key: str | None


class Place(NamedTuple):
    """Where the lanes are: a URL, an ASGI app, or just an environment's class. One of the three."""

    base_url: str | None
    app: ASGIApp | None
    env: Callable[[], Any] | None


class Lanes(msgspec.Struct, frozen=True):
    """How many lanes, how many are told of at a time, and what follows the end of an episode."""

    num_envs: int
    batch_size: int | None
    autoreset: Autoreset

    def __post_init__(self) -> None:
        if self.num_envs < 1:
            raise ValueError(f"num_envs must be 1 or more, not {self.num_envs}")
        if self.batch_size is not None and not 1 <= self.batch_size <= self.num_envs:
            raise ValueError(f"batch_size must be from 1 to num_envs, not {self.batch_size}")


class VectorPlan(NamedTuple):
    """The checked arguments of a vector client.

    Attributes:
        lanes: Of every connection.
        form: The encoding.
        mode: In which environments of this process are played.
        target: The server; None where there is none.
        env: The class to play in this process, where there is no server.
        settings: How to connect, and how long to wait.
        snapshot_key: Seals what environments of this process export; None for one chosen here.
    """

    lanes: Lanes
    form: Format
    mode: ServerMode
    target: Target | None
    env: Callable[[], Any] | None
    settings: ConnectionSettings
    snapshot_key: str | None

    @classmethod
    def of(cls, place: Place, num_envs: int, options: VectorOptions) -> "VectorPlan":
        """Check what a client's constructor was given.

        Raises:
            ValueError: Not exactly one place, or a value that an option cannot have.
            TypeError: An option that does not exist.
        """
        if sum(each is not None for each in place) != 1:
            raise ValueError("A vector client needs one of base_url, app and env")
        own: Any = {name: value for name, value in options.items() if name in _OWN}
        others: Any = {name: value for name, value in options.items() if name not in _OWN}
        encoding = own.get("encoding", "msgpack")
        if encoding not in _FORMATS:
            raise ValueError(f"encoding must be one of {get_args(Encoding)}, not {encoding!r}")
        autoreset = Autoreset(own.get("autoreset", Autoreset.DISABLED))
        return cls(
            lanes=Lanes(num_envs, own.get("batch_size"), autoreset),
            form=_FORMATS[encoding],
            mode=ServerMode((own.get("mode") or ServerMode.SIMULATION).lower()),
            target=None if place.env else Target.of(place.base_url, place.app, others),
            env=place.env,
            settings=ConnectionSettings(**others),
            snapshot_key=own.get("snapshot_key"),
        )
