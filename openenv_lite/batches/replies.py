"""What a server sends: one reply to each request, with its `id`."""

from typing import Any, Generic, TypeVar

import msgspec

from openenv_lite.types import Reward, StepResult

__all__ = [
    "Closed",
    "Discarded",
    "Exported",
    "Imported",
    "Opened",
    "Refused",
    "Restored",
    "Results",
    "Snapshots",
    "States",
    "Told",
]

ObsT = TypeVar("ObsT")


class _Reply(msgspec.Struct, tag_field="type", omit_defaults=True):
    id: int | None


class Opened(_Reply, tag="opened"):
    """The lanes' numbers, and the ids of their sessions."""

    lanes: list[int]
    sessions: list[str]


class Closed(_Reply, tag="closed"):
    """The numbers that are no lanes any more."""

    lanes: list[int]


class Results(_Reply, Generic[ObsT], tag="results"):
    """What came of resets or steps: a column has an entry for each of `lanes`, in that order.

    What only few lanes have stands under the lane's number. A lane in error has no observation.
    """

    lanes: list[int]
    observations: list[ObsT | None]
    rewards: list[Reward]
    done: list[bool]
    truncated: list[int] = []
    metadata: dict[int, dict[str, Any]] = {}
    final: dict[int, StepResult[ObsT]] = {}
    """With `Autoreset.SAME_STEP`: the last step of an episode; the columns tell of the next one,
    and `errors` where that could not begin."""
    errors: dict[int, Any] = {}
    """`{"code", "message", ...}` each; on the server the error itself."""


class States(_Reply, tag="states"):
    """The inner state of each lane, None where it could not be read."""

    lanes: list[int]
    states: list[Any]
    errors: dict[int, Any] = {}


class Snapshots(_Reply, tag="snapshots"):
    """The handle of each lane's snapshot, None where none was taken."""

    lanes: list[int]
    handles: list[str | None]
    errors: dict[int, Any] = {}


class Restored(_Reply, tag="restored"):
    """The lanes that were to be restored, and what befell some of them instead."""

    lanes: list[int]
    errors: dict[int, Any] = {}


class Exported(_Reply, tag="exported"):
    """A sealed snapshot for each handle."""

    data: list[bytes]


class Imported(_Reply, tag="imported"):
    """The new handles."""

    handles: list[str]


class Discarded(_Reply, tag="discarded"):
    """The handles of which there was a snapshot."""

    handles: list[str]


class Told(_Reply, tag="mcp"):
    """One JSON-RPC response."""

    data: Any


class Refused(_Reply, tag="error"):
    """Why a request failed as a whole: `{"code", "message", ...}`."""

    data: dict[str, Any]
