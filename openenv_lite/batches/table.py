"""Which messages exist for whom, and what each does to a lane."""

import enum
from typing import Any, NamedTuple

from openenv_lite.batches.requests import (
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
from openenv_lite.errors import OpenEnvError, UnknownLaneError

__all__ = ["TABLE", "Row", "Standing"]


class Standing(enum.StrEnum):
    """Whether a number is a lane's."""

    UNOPENED = "unopened"
    OPEN = "open"


Next = Standing | type[OpenEnvError]


class Row(NamedTuple):
    """What a message does to a lane it names, and whether production knows it at all."""

    request: Any
    in_production: bool
    unopened: Next
    open: Next


_UNOPENED, _OPEN = Standing

TABLE: dict[str, Row] = {
    # message                 production  unopened          open
    "open": Row(Open, True, _OPEN, _OPEN),
    "reset": Row(Reset, False, UnknownLaneError, _OPEN),
    "step": Row(Step, False, UnknownLaneError, _OPEN),
    "receive": Row(Receive, False, _UNOPENED, _OPEN),
    "state": Row(ReadState, False, UnknownLaneError, _OPEN),
    "mcp": Row(Mcp, True, UnknownLaneError, _OPEN),
    "snapshot": Row(Snapshot, False, UnknownLaneError, _OPEN),
    "restore": Row(Restore, False, UnknownLaneError, _OPEN),
    "fork": Row(Fork, False, _OPEN, _OPEN),
    "export": Row(Export, False, _UNOPENED, _OPEN),
    "import": Row(Import, False, _UNOPENED, _OPEN),
    "discard": Row(Discard, False, _UNOPENED, _OPEN),
    "cancel": Row(Cancel, True, _UNOPENED, _OPEN),
    "close": Row(Close, True, UnknownLaneError, _UNOPENED),
}
