"""Load of batched steps through a `VectorEnvClient`, the next batch on the reply.

Arguments: the encoding, the number of lanes, and how they are played: `async` or `sync` for all in
one call, `halves` for two overlapping calls, of which one is on its way while the other is judged.
"""

import asyncio
import sys
from collections import deque
from typing import Any, NamedTuple

import msgspec

from benchmarks.apps.ours import EchoAction, EchoObservation
from benchmarks.drives.batches import check_batch, turns
from benchmarks.drives.exchange import Sample, Target, count, count_async, obey
from openenv_lite import State
from openenv_lite.client import VectorEnvClient

__all__: list[str] = []


class Turn(NamedTuple):
    """A batch: its number, its texts, and the actions that say them."""

    number: int
    texts: list[str]
    actions: list[EchoAction]


class Judge:
    """Checks a reply in full, or that it equals one that was."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, Any]] = {}

    def check(self, turn: Turn, result: Any) -> None:
        told = result.observations, result.rewards
        if self._known.get(turn.number) != told:
            result.raise_errors()
            check_batch(turn.texts, msgspec.to_builtins(told[0]), told[1])
            self._known[turn.number] = told


def turns_of(lanes: int) -> list[Turn]:
    return [
        Turn(number, texts, [EchoAction(message=text) for text in texts])
        for number, texts in enumerate(turns(lanes))
    ]


def client(target: Target, encoding: Any, lanes: int) -> Any:
    kind = VectorEnvClient[EchoAction, EchoObservation, State]
    return kind(f"http://{target.address}", num_envs=lanes, encoding=encoding)


async def run_async(vector: Any, target: Target, lanes: int) -> Sample:
    judge = Judge()

    async def step(turn: Turn) -> None:
        judge.check(turn, await vector.step(turn.actions))

    async with vector:
        await vector.reset()
        return await count_async(step, turns_of(lanes), target, lanes)


async def run_halves(vector: Any, target: Target, lanes: int) -> Sample:
    middle = lanes // 2
    halves = [*range(middle)], [*range(middle, lanes)]
    judges = Judge(), Judge()
    under_way: deque[tuple[int, Turn, asyncio.Task[Any]]] = deque()

    def send(which: int, turn: Turn) -> None:
        part = slice(halves[which][0], halves[which][-1] + 1)
        turn = Turn(turn.number, turn.texts[part], turn.actions[part])
        call = vector.step(turn.actions, lanes=halves[which])
        under_way.append((which, turn, asyncio.ensure_future(call)))

    async def step(turn: Turn) -> None:
        which, played, task = under_way.popleft()
        result = await task
        send(which, turn)
        judges[which].check(played, result)

    async with vector:
        await vector.reset()
        first, *turns = turns_of(lanes)
        for which in range(2):
            send(which, first)
        sample = await count_async(step, turns, target, middle)
        await asyncio.gather(*(task for _, _, task in under_way))
        return sample


def run_sync(vector: Any, target: Target, lanes: int) -> Sample:
    judge = Judge()
    with vector:
        vector.reset()
        return count(
            lambda turn: judge.check(turn, vector.step(turn.actions)),
            turns_of(lanes),
            target,
            lanes,
        )


def main(encoding: str, lanes: int, manner: str) -> None:
    def run(target: Target) -> Sample:
        vector = client(target, encoding, lanes)
        if manner == "sync":
            return run_sync(vector.sync(), target, lanes)
        play = run_halves if manner == "halves" else run_async
        return asyncio.run(play(vector, target, lanes))

    obey(run)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
