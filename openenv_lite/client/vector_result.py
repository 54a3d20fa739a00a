"""What a reset or step of many lanes gave, as columns and lane by lane."""

from collections.abc import Callable
from types import NoneType, UnionType
from typing import Any, Generic, TypeVar, get_args

import msgspec

from openenv_lite.batches import Results
from openenv_lite.client.remote_errors import error_of
from openenv_lite.client.translation import AT_THE_TOP
from openenv_lite.errors import OpenEnvError
from openenv_lite.types import Reward, StepResult

__all__ = ["VectorResult", "reader"]

ObsT = TypeVar("ObsT")


class VectorResult(msgspec.Struct, Generic[ObsT]):
    """Columns with an entry for each of `lanes`, in that order; the rest stands under the lane.

    A lane in error has observation and reward None; `result[place]` raises its error. Where
    `final` has a lane (autoreset `same_step`), its observation is the first of the new episode;
    reward, done and truncated are of the step that ended the old one.
    """

    lanes: list[int]
    observations: list[ObsT | None]
    rewards: list[Reward]
    done: list[bool]
    truncated: list[bool]
    metadata: dict[int, dict[str, Any]]
    final: dict[int, StepResult[ObsT]]
    errors: dict[int, OpenEnvError]

    @property
    def terminated(self) -> list[bool]:
        """Where the episode ended by its own rules rather than being cut off."""
        return [
            done and not truncated
            for done, truncated in zip(self.done, self.truncated, strict=True)
        ]

    def __len__(self) -> int:
        return len(self.lanes)

    def __getitem__(self, place: int) -> StepResult[ObsT]:
        """What stands at a place of the columns.

        Raises:
            OpenEnvError: What befell the lane instead.
        """
        lane = self.lanes[place]
        if lane in self.errors:
            raise self.errors[lane]
        seen: Any = self.observations[place]
        return StepResult(
            seen,
            self.rewards[place],
            self.done[place],
            self.metadata.get(lane, {}),
            self.truncated[place],
        )

    def raise_errors(self) -> None:
        """Raise the error of the first lane that has one; its notes say which, and of how many."""
        for lane, error in self.errors.items():
            error.add_note(f"In lane {lane}; {len(self.errors)} of {len(self)} lanes have an error")
            raise error


Read = Callable[[Results[Any]], VectorResult[Any]]


def reader(observation: Any) -> Read:
    """The function from a reply to a result, for one type of observation.

    Observations that declare what the wire keeps beside them are told it.
    """
    names = sorted(_declared(observation).intersection(AT_THE_TOP))

    def read(reply: Results[Any]) -> VectorResult[Any]:
        truncated = _dense(reply.lanes, reply.truncated)
        if names:
            _tell(names, reply, truncated)
        return VectorResult(
            reply.lanes,
            reply.observations,
            reply.rewards,
            reply.done,
            truncated,
            reply.metadata,
            reply.final,
            {lane: error_of(data) for lane, data in reply.errors.items()},
        )

    return read


def _declared(kind: Any) -> set[str]:
    """Names of the fields of a type, or of each type of a union."""
    if isinstance(kind, UnionType):
        members = [each for each in get_args(kind) if each is not NoneType]
        return set.intersection(*map(_declared, members))
    for fields in ("__struct_fields__", "__dataclass_fields__", "model_fields"):
        if hasattr(kind, fields):
            return {*getattr(kind, fields)}
    return set()


def _dense(lanes: list[int], few: list[int]) -> list[bool]:
    if not few:
        return [False] * len(lanes)
    chosen = {*few}
    return [lane in chosen for lane in lanes]


def _tell(names: list[str], reply: Results[Any], truncated: list[bool]) -> None:
    """Column by column; False and None are what fields have that were not on the wire."""
    columns: dict[str, list[Any]] = {"reward": reply.rewards, "done": reply.done}
    columns["truncated"] = truncated
    for name in names:
        column = columns[name]
        if reply.final:  # the first observation of an episode stands where its last step is told
            lanes = zip(reply.lanes, column, strict=True)
            column = [None if lane in reply.final else value for lane, value in lanes]
        if name == "reward" or any(column):
            _tell_column(name, reply.observations, column)
        for last in reply.final.values():
            setattr(last.observation, name, getattr(last, name))


def _tell_column(name: str, observations: list[Any], column: list[Any]) -> None:
    for seen, value in zip(observations, column, strict=True):
        if value is not None and value is not False:
            setattr(seen, name, value)
