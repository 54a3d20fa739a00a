"""The protocol's revisions as a table: what each one knows, and how a client and we agree on one.

Source: the MCP specification's change logs. Nothing else in the package compares revision dates.
"""

from typing import Any, NamedTuple

from openenv_lite.errors import UnsupportedRevisionError

__all__ = ["HANDSHAKE", "REVISIONS", "STATELESS", "Revision", "negotiate", "supported"]


class Revision(NamedTuple):
    """One revision of the protocol, and what distinguishes it from its neighbours."""

    name: str
    is_stateless: bool = False
    """No handshake: every request carries revision and capabilities, and headers repeat them."""
    has_batches: bool = False
    """A body may be an array of messages."""
    has_structure: bool = True
    """Tools have titles and output schemas; results have structured content and resource links."""
    has_icons: bool = True
    primes_streams: bool = True
    """An event stream begins with an empty event whose id a client can come back with."""
    faulty_arguments_fail_softly: bool = True
    """Arguments off their schema give a result the model can read, not a protocol error."""
    has_forms: bool = True
    """Elicitation exists."""


REVISIONS: dict[str, Revision] = {
    each.name: each
    for each in (
        Revision("2024-11-05", False, False, False, False, False, False, False),
        Revision("2025-03-26", False, True, False, False, False, False, False),
        Revision("2025-06-18", False, False, True, False, False, False, True),
        Revision("2025-11-25"),
        Revision("2026-07-28", is_stateless=True, primes_streams=False),
    )
}

STATELESS = REVISIONS["2026-07-28"]
"""The revision without sessions."""

HANDSHAKE = tuple(each for each in REVISIONS.values() if not each.is_stateless)
"""The revisions that begin with `initialize`, oldest first."""


def negotiate(requested: str) -> Revision:
    """What `initialize` agrees on: the revision asked for, else the latest with a handshake."""
    found = REVISIONS.get(requested)
    return HANDSHAKE[-1] if found is None or found.is_stateless else found


def supported(requested: Any) -> Revision:
    """The revision of this name.

    Raises:
        UnsupportedRevisionError: It is none of ours; `details` lists those.
    """
    found = REVISIONS.get(requested) if isinstance(requested, str) else None
    if found is None:
        raise UnsupportedRevisionError(
            "Unsupported protocol version", supported=list(REVISIONS), requested=requested
        )
    return found
