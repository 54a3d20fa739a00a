"""What a client sends: each request has an `id`, which comes back with its reply."""

import enum
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta

__all__ = [
    "Autoreset",
    "Cancel",
    "Close",
    "Discard",
    "Export",
    "Fork",
    "Import",
    "Mcp",
    "Number",
    "Open",
    "ReadState",
    "Receive",
    "Reset",
    "Restore",
    "Snapshot",
    "Step",
]

ActT = TypeVar("ActT")

Count = Annotated[int, Meta(ge=1)]

Number = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""What comes back to the client: of a size that both encodings carry."""


class Autoreset(enum.StrEnum):
    """What follows the end of a lane's episode, as Gymnasium 1.x names it."""

    DISABLED = "disabled"
    """Nothing: the trainer resets."""
    NEXT_STEP = "next_step"
    """The next step begins a new episode and ignores its action."""
    SAME_STEP = "same_step"
    """The step itself begins the next episode; its own result is told as `final`."""


class _Request(msgspec.Struct, tag_field="type", forbid_unknown_fields=True, kw_only=True):
    """Base of what a client sends; `id` comes back with the reply."""

    id: Number


class Open(_Request, tag="open", kw_only=True):
    """Open lanes: all of them or none."""

    count: Count = 1
    autoreset: Autoreset = Autoreset.DISABLED
    sessions: list[str] | None = None
    """Sessions to take up again in place of new ones, after a lost connection."""
    lanes: list[Number] | None = None
    """The numbers of those sessions, in order and larger than any before; else the next ones."""


class Close(_Request, tag="close", kw_only=True):
    """Close lanes, and the environments in them."""

    lanes: list[Number] | None = None


class Reset(_Request, tag="reset", kw_only=True):
    """Begin an episode in each lane; `options` are the author's own, the same for all."""

    lanes: list[Number] | None = None
    seeds: list[int | None] | None = None
    options: dict[str, Any] = {}
    wait: Count | None = None


class Step(_Request, Generic[ActT], tag="step", kw_only=True):
    """One action for each lane."""

    actions: list[ActT]
    lanes: list[Number] | None = None
    wait: Count | None = None


class Receive(_Request, tag="receive", kw_only=True):
    """Hear of `wait` lanes that an earlier request with `wait` has set going."""

    wait: Count


class ReadState(_Request, tag="state", kw_only=True):
    """Read the inner state of each lane."""

    lanes: list[Number] | None = None


class Mcp(_Request, tag="mcp", kw_only=True):
    """One JSON-RPC request to the agent's side of a lane, in OpenEnv's dialect."""

    lane: Number
    data: dict[str, Any]


class Snapshot(_Request, tag="snapshot", kw_only=True):
    """Save the state of each lane."""

    lanes: list[Number] | None = None


class Restore(_Request, tag="restore", kw_only=True):
    """Put each lane back to a state that was saved in any of the class."""

    snapshots: list[str]
    """Handles, one for each lane; or one for all."""
    lanes: list[Number] | None = None


class Fork(_Request, tag="fork", kw_only=True):
    """Open a lane for each of the snapshots, restored to it: all of them or none."""

    snapshots: list[str]
    autoreset: Autoreset = Autoreset.DISABLED


class Export(_Request, tag="export", kw_only=True):
    """Tell snapshots themselves, sealed, to be imported by a server with the same key."""

    snapshots: list[str]


class Import(_Request, tag="import", kw_only=True):
    """Keep what was exported, all of it or none."""

    data: list[bytes]


class Discard(_Request, tag="discard", kw_only=True):
    """Drop snapshots; those that are gone already are no error."""

    snapshots: list[str]


class Cancel(_Request, tag="cancel", kw_only=True):
    """Stop the request of this id; its reply then says which lanes were not ready."""
