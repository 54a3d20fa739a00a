"""Snapshots of lanes: taken, put back, and kept for whoever has the handle."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from openenv_lite.batches import (
    Discard,
    Discarded,
    Export,
    Exported,
    Import,
    Imported,
    Restore,
    Restored,
    Snapshot,
    Snapshots,
)
from openenv_lite.errors import InvalidMessageError, OpenEnvError, UnknownSnapshotError
from openenv_lite.pool import Pool
from openenv_lite.vector.lane import check_one_each

__all__ = ["Branches"]


class Lanes(Protocol):
    """Where calls for many lanes are made; a `Vector`."""

    def named(self, event: str, lanes: list[int] | None) -> list[int]:
        """The lanes that a request is for."""

    def carry_out(
        self,
        event: str,
        request: Snapshot | Restore,
        moves: Sequence[Any],
        told: Callable[[list[Any]], Any],
    ) -> Any:
        """Make a call for each lane; the reply, or the coroutine that gives it."""


class Branches:
    """Answers what trainers ask about snapshots.

    Args:
        pool: Where they are kept.
        principal: Whose they are; None for whoever has the handles.
        lanes: Those of this connection.

    Attributes:
        answers: By request, as in a `Vector`.
    """

    def __init__(self, pool: Pool, principal: str | None, lanes: Lanes) -> None:
        self._blueprint = pool.blueprint
        self._kept = pool.snapshots
        self._principal = principal
        self._lanes = lanes
        answers: dict[Any, Callable[[Any], Any]] = {
            Snapshot: self._snapshot,
            Restore: self._restore,
            Export: self._export,
            Import: self._import,
            Discard: self._discard,
        }
        self.answers = {
            kind: functools.partial(self._answer, answer) for kind, answer in answers.items()
        }

    def _answer(self, answer: Callable[[Any], Any], request: Any) -> Any:
        self._blueprint.saving()  # where there are none, that is what to say
        return answer(request)

    def saved(self, handles: Sequence[str]) -> list[bytes]:
        """The snapshots behind handles.

        Raises:
            SnapshotsUnsupportedError: The class offers none.
            UnknownSnapshotError: One of them is not to be had.
        """
        self._blueprint.saving()
        return [self._kept.saved(each, self._principal) for each in handles]

    def _snapshot(self, request: Snapshot) -> Any:
        lanes = self._lanes.named("snapshot", request.lanes)
        told = functools.partial(_taken, request.id, lanes)
        return self._lanes.carry_out("snapshot", request, [self._keep] * len(lanes), told)

    def _keep(self, saved: bytes) -> str:
        return self._kept.keep([saved], self._principal)[0]

    def _restore(self, request: Restore) -> Any:
        lanes = self._lanes.named("restore", request.lanes)
        handles = request.snapshots
        if len(handles) != 1:
            check_one_each(handles, lanes, "snapshots")
        found = [self._saved_or_not(each) for each in handles]
        if len(handles) == 1:
            found *= len(lanes)
        told = functools.partial(_restored, request.id, lanes)
        return self._lanes.carry_out("restore", request, found, told)

    def _saved_or_not(self, handle: str) -> bytes | UnknownSnapshotError:
        """What is wrong with one concerns its lane alone."""
        try:
            return self._kept.saved(handle, self._principal)
        except UnknownSnapshotError as error:
            return error

    def _export(self, request: Export) -> Exported:
        if len({*request.snapshots}) != len(request.snapshots):
            raise InvalidMessageError("A snapshot is named once in a request")
        return Exported(request.id, self._kept.export(request.snapshots, self._principal))

    def _import(self, request: Import) -> Imported:
        binding = self._blueprint.saving().binding
        return Imported(request.id, self._kept.take_in(request.data, binding, self._principal))

    def _discard(self, request: Discard) -> Discarded:
        return Discarded(request.id, self._kept.discard(request.snapshots, self._principal))


def _taken(request: int, lanes: list[int], outcomes: list[Any]) -> Snapshots:
    errors = _errors(lanes, outcomes)
    handles = [None if lane in errors else each for lane, each in zip(lanes, outcomes, strict=True)]
    return Snapshots(request, lanes, handles, errors)


def _restored(request: int, lanes: list[int], outcomes: list[Any]) -> Restored:
    return Restored(request, lanes, _errors(lanes, outcomes))


def _errors(lanes: list[int], outcomes: list[Any]) -> dict[int, OpenEnvError]:
    told = zip(lanes, outcomes, strict=True)
    return {lane: each for lane, each in told if isinstance(each, OpenEnvError)}
