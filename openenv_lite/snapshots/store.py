"""Snapshots kept behind handles, for those who took them, and sealed for those who take them away.

A handle tells nothing of what it stands for. What leaves the server is beyond forgery and is told
to trainers alone, so it need not be beyond reading.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from openenv_lite.clock import Clock
from openenv_lite.errors import (
    ConfigurationError,
    SealBrokenError,
    SnapshotLimitError,
    UnknownSnapshotError,
)
from openenv_lite.snapshots.binding import Binding
from openenv_lite.workers import here, new_id

__all__ = ["SnapshotSettings", "Snapshots"]

Count = Annotated[int, Meta(ge=1)]

SHORTEST_KEY = 16
"""Characters."""

_PURPOSE = b"openenv-lite snapshot\n"
"""Keeps a key that seals other texts as well from opening one for the other."""

_MARK_BYTES = hashlib.sha256().digest_size


class SnapshotSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the snapshots that one process keeps for its trainers."""

    max_snapshots: Count = 10_000
    """Snapshots that may be kept at once, whosever they are, in each worker process."""
    max_snapshot_bytes: Count = 256 * 1024 * 1024
    """Bytes that they may have together."""
    max_export_bytes: Count = 8 * 1024 * 1024
    """Bytes of snapshots that a request may export: all of them stand in one reply."""
    snapshot_life_s: Annotated[float, Meta(gt=0)] = 3600.0
    """A snapshot is dropped when it has not been used for so many seconds."""
    snapshot_key: Annotated[str, Meta(min_length=SHORTEST_KEY)] | None = None
    """Seals exported snapshots: servers that share it import each other's. Random in each process
    by default; 16 characters or more."""


class _Kept(msgspec.Struct):
    saved: bytes
    owner: str | None
    used_at: float


class Snapshots:
    """The snapshots of one pool.

    Args:
        settings: Limits.
        clock: Where time comes from.

    Raises:
        ConfigurationError: The key is too short.
    """

    def __init__(self, settings: SnapshotSettings, clock: Clock) -> None:
        key = settings.snapshot_key
        if key is not None and len(key) < SHORTEST_KEY:
            raise ConfigurationError(
                f"The snapshot_key has {len(key)} characters; give {SHORTEST_KEY} or more, chosen "
                "at random"
            )
        self._settings = settings
        self._clock = clock
        self._key = (key or secrets.token_urlsafe(32)).encode()
        self._kept: dict[str, _Kept] = {}
        """By handle; the one used least lately comes first."""
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, saved: Sequence[bytes], owner: str | None) -> list[str]:
        """Keep snapshots, all of them or none; their handles, which nobody can guess.

        Args:
            saved: As a `Binding` made them.
            owner: Whose they are; None for whoever has the handles.

        Raises:
            SnapshotLimitError: There is no room for them.
        """
        self.drop_expired()
        size = sum(map(len, saved))
        self._check_room(len(saved), size)
        handles = [new_id() for _ in saved]
        now = self._clock.now()
        for handle, each in zip(handles, saved, strict=True):
            self._kept[handle] = _Kept(each, owner, now)
        self._bytes += size
        return handles

    def _check_room(self, count: int, size: int) -> None:
        most, most_bytes = self._settings.max_snapshots, self._settings.max_snapshot_bytes
        if len(self._kept) + count <= most and self._bytes + size <= most_bytes:
            return
        raise SnapshotLimitError(
            f"{len(self._kept)} snapshots of {self._bytes} bytes are kept, and {count} of {size} "
            f"bytes more would be over the limit of {most} or of {most_bytes} bytes: discard "
            "those that are not needed any more, or raise max_snapshots or max_snapshot_bytes",
            max_snapshots=most,
            max_snapshot_bytes=most_bytes,
        )

    def saved(self, handle: str, principal: str | None) -> bytes:
        """The snapshot behind a handle, which counts as used now.

        Raises:
            UnknownSnapshotError: There is none, or it is another principal's.
        """
        self.drop_expired()
        kept = self._kept.get(handle)
        if kept is None or kept.owner not in (None, principal):
            raise UnknownSnapshotError(f"Unknown snapshot: {handle[:100]!r}. {self._why(handle)}")
        kept.used_at = self._clock.now()
        self._kept[handle] = self._kept.pop(handle)
        return kept.saved

    def _why(self, handle: str) -> str:
        worker = here()
        if worker is not None and worker.holder_of(handle) != worker.number:
            return "Another worker of this server keeps it: export it there and import it here"
        life_s = self._settings.snapshot_life_s
        return f"It was discarded, or not used for {life_s:g} s, or never taken here: take another"

    def discard(self, handles: Sequence[str], principal: str | None) -> list[str]:
        """Drop snapshots; those handles of which there was one, and this principal's."""
        self.drop_expired()
        return [each for each in {*handles} if self._drop(each, principal)]

    def _drop(self, handle: str, principal: str | None) -> bool:
        kept = self._kept.get(handle)
        if kept is None or kept.owner not in (None, principal):
            return False
        self._forget(handle)
        return True

    def _forget(self, handle: str) -> None:
        self._bytes -= len(self._kept.pop(handle).saved)

    def drop_expired(self) -> None:
        """Drop what has not been used for too long."""
        oldest = self._clock.now() - self._settings.snapshot_life_s
        for handle in [*self._used_until(oldest)]:
            self._forget(handle)

    def _used_until(self, moment: float) -> Iterator[str]:
        for handle, kept in self._kept.items():
            if kept.used_at > moment:
                return
            yield handle

    def export(self, handles: Sequence[str], principal: str | None) -> list[bytes]:
        """Snapshots as bytes that servers with the same key import.

        Raises:
            UnknownSnapshotError: There is none behind a handle, or it is another principal's.
            SnapshotLimitError: They are more than go into one reply.
        """
        found = [self.saved(each, principal) for each in handles]
        self._check_export(sum(map(len, found)))
        return [self._sealed(each) for each in found]

    def _check_export(self, size: int) -> None:
        most = self._settings.max_export_bytes
        if size > most:
            raise SnapshotLimitError(
                f"These snapshots have {size} bytes, and {most} can be exported at once: export "
                "fewer at a time, or raise max_export_bytes",
                max_export_bytes=most,
            )

    def take_in(self, data: Sequence[bytes], binding: Binding, owner: str | None) -> list[str]:
        """Keep what was exported here or elsewhere, all of it or none; the new handles.

        Raises:
            SealBrokenError: It was not sealed with this key, or it was altered.
            SnapshotMismatchError: It is of another class or version.
            SnapshotLimitError: There is no room.
        """
        saved = [self._opened(each) for each in data]
        for each in saved:
            binding.check(each)
        return self.keep(saved, owner)

    def _sealed(self, saved: bytes) -> bytes:
        return self._mark(saved) + saved

    def _opened(self, sealed: bytes) -> bytes:
        mark, saved = sealed[:_MARK_BYTES], sealed[_MARK_BYTES:]
        if not hmac.compare_digest(mark, self._mark(saved)):
            raise SealBrokenError(
                "This is no snapshot that was exported with this server's snapshot_key, or it was "
                "altered: give all servers that share snapshots the same key"
            )
        return saved

    def _mark(self, saved: bytes) -> bytes:
        return hmac.digest(self._key, _PURPOSE + saved, hashlib.sha256)
