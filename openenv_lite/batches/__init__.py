"""Our subprotocol on `/ws` without I/O: many environments on one connection, in JSON or msgpack.

Each environment is a lane with a number. A request names the lanes it is for, all of them by
default, and gets exactly one reply with its `id`, in whatever order they become ready; only
`cancel` has none of its own. `TABLE` says which messages exist for whom; what a lane's episode then
allows is `protocol.TABLE`'s to say, lane by lane.
"""

from openenv_lite.batches.decoding import RequestDecoder
from openenv_lite.batches.formats import FORMATS, JSON, MSGPACK, Format, described
from openenv_lite.batches.replies import (
    Closed,
    Discarded,
    Exported,
    Imported,
    Opened,
    Refused,
    Restored,
    Results,
    Snapshots,
    States,
    Told,
)
from openenv_lite.batches.requests import (
    Autoreset,
    Cancel,
    Close,
    Discard,
    Export,
    Fork,
    Import,
    Mcp,
    Open,
    ReadState,
    Receive,
    Reset,
    Restore,
    Snapshot,
    Step,
)
from openenv_lite.batches.table import TABLE, Standing

__all__ = [
    "FORMATS",
    "JSON",
    "MSGPACK",
    "TABLE",
    "Autoreset",
    "Cancel",
    "Close",
    "Closed",
    "Discard",
    "Discarded",
    "Export",
    "Exported",
    "Fork",
    "Format",
    "Import",
    "Imported",
    "Mcp",
    "Open",
    "Opened",
    "ReadState",
    "Receive",
    "Refused",
    "RequestDecoder",
    "Reset",
    "Restore",
    "Restored",
    "Results",
    "Snapshot",
    "Snapshots",
    "Standing",
    "States",
    "Step",
    "Told",
    "described",
]
