"""What both vector clients offer of snapshots: the states of lanes, put back and forked."""

from collections.abc import Sequence
from typing import Any

from openenv_lite.batches import Restored, Snapshots
from openenv_lite.client.remote_errors import error_of
from openenv_lite.client.vector_exchange import Handles, VectorExchange

__all__ = ["AsyncBranching", "SyncBranching"]


class AsyncBranching:
    """The snapshots of a `VectorEnvClient`, and the lanes that come and go with them.

    A handle is a text that stands for a snapshot, which stays on the server until it is discarded
    or was not used for long. In another worker process of the server, and on another server, it
    stands for nothing: what is to go there is exported and imported.
    """

    _exchange: VectorExchange

    async def connect(self) -> Any:
        """See `VectorEnvClient`."""
        raise NotImplementedError

    async def _call(self, request: Any) -> Any:
        raise NotImplementedError

    async def snapshot(self, lanes: Sequence[int] | None = None) -> list[str]:
        """Save the state of each lane, all lanes by default; their handles.

        Raises:
            SnapshotsUnsupportedError: The environment offers none.
            SnapshotLimitError: The server keeps as many as it may; then no new one is kept.
            OpenEnvError: A lane could not be saved; then no new one is kept.
        """
        reply: Snapshots = await self._call(self._exchange.snapshot(lanes))
        if reply.errors:
            await self.discard([each for each in reply.handles if each is not None])
        return _handles(reply)

    async def restore(self, snapshots: Handles, lanes: Sequence[int] | None = None) -> None:
        """Put lanes back to states that were saved in any of them, or in another client's.

        Args:
            snapshots: One handle for all of the lanes, or a list of one each.
            lanes: Numbers of lanes, all by default.

        Raises:
            UnknownSnapshotError: There is none, or not any more, or it is another's.
            OpenEnvError: A lane could not be restored. The other lanes were.
        """
        _check(await self._call(self._exchange.restore(snapshots, lanes)))

    async def fork(self, snapshots: Handles) -> list[int]:
        """Open a lane for each handle, restored to its state, or none; their numbers.

        They are lanes like the others from then on: `num_envs` counts them.

        Raises:
            CapacityError: The server cannot hold so many more.
            UnknownSnapshotError: As `restore`.
        """
        leftover = self._exchange.leftover()
        if leftover is not None:
            await self._call(leftover)
        return self._exchange.forked(await self._call(self._exchange.fork(snapshots)))

    async def close_lanes(self, lanes: Sequence[int]) -> None:
        """Close some of the lanes, forked or not; the others keep their numbers.

        Raises:
            ValueError: One of them is no lane, or none would be left.
        """
        await self.connect()
        await self._call(self._exchange.close_lanes(lanes))

    async def export(self, snapshots: Handles) -> list[bytes]:
        """The snapshots themselves, sealed, for a server with the same `snapshot_key`.

        Raises:
            UnknownSnapshotError: As `restore`.
        """
        exported: list[bytes] = (await self._call(self._exchange.export(snapshots))).data
        return exported

    async def import_(self, data: Sequence[bytes]) -> list[str]:
        """Have the server keep what was exported, all of it or none; the handles.

        Raises:
            SealBrokenError: It was sealed with another key, or altered.
            SnapshotMismatchError: It is of another class, or another version of it.
            SnapshotLimitError: The server keeps as many as it may.
        """
        imported: list[str] = (await self._call(self._exchange.import_(data))).handles
        return imported

    async def discard(self, snapshots: Handles) -> None:
        """Have the server keep these no longer; those that are gone already are no error."""
        await self._call(self._exchange.discard(snapshots))


class SyncBranching:
    """As `AsyncBranching`, blocking."""

    _exchange: VectorExchange

    def connect(self) -> Any:
        """See `VectorEnvClient`."""
        raise NotImplementedError

    def _call(self, request: Any) -> Any:
        raise NotImplementedError

    def snapshot(self, lanes: Sequence[int] | None = None) -> list[str]:
        """See `VectorEnvClient`."""
        reply: Snapshots = self._call(self._exchange.snapshot(lanes))
        if reply.errors:
            self.discard([each for each in reply.handles if each is not None])
        return _handles(reply)

    def restore(self, snapshots: Handles, lanes: Sequence[int] | None = None) -> None:
        """See `VectorEnvClient`."""
        _check(self._call(self._exchange.restore(snapshots, lanes)))

    def fork(self, snapshots: Handles) -> list[int]:
        """See `VectorEnvClient`."""
        leftover = self._exchange.leftover()
        if leftover is not None:
            self._call(leftover)
        return self._exchange.forked(self._call(self._exchange.fork(snapshots)))

    def close_lanes(self, lanes: Sequence[int]) -> None:
        """See `VectorEnvClient`."""
        self.connect()
        self._call(self._exchange.close_lanes(lanes))

    def export(self, snapshots: Handles) -> list[bytes]:
        """See `VectorEnvClient`."""
        exported: list[bytes] = self._call(self._exchange.export(snapshots)).data
        return exported

    def import_(self, data: Sequence[bytes]) -> list[str]:
        """See `VectorEnvClient`."""
        imported: list[str] = self._call(self._exchange.import_(data)).handles
        return imported

    def discard(self, snapshots: Handles) -> None:
        """See `VectorEnvClient`."""
        self._call(self._exchange.discard(snapshots))


def _check(reply: Snapshots | Restored) -> None:
    """Raise the error of the first lane that has one; its note says which."""
    for lane, data in reply.errors.items():
        error = error_of(data)
        error.add_note(
            f"In lane {lane}; {len(reply.errors)} of {len(reply.lanes)} lanes have an error"
        )
        raise error


def _handles(reply: Snapshots) -> list[str]:
    _check(reply)
    return [each for each in reply.handles if each is not None]
