"""The limit of any server: batches decoded, stepped and encoded in one process, and no network.

The environment and its types are those that our server has, and so are the bytes of the reply.
Arguments: the encoding, and the number of lanes.
"""

import sys
from collections.abc import Callable
from typing import Any

import msgspec

from benchmarks.apps.ours import EchoAction, Inline
from benchmarks.drives.batches import JSON, check_reply, read, step, turns
from benchmarks.drives.exchange import Sample, Target, count, obey

__all__ = ["answering"]


class Step(msgspec.Struct, tag_field="type", tag="step"):
    id: int
    actions: list[EchoAction]


class Seen(msgspec.Struct):
    """An observation as it is sent: the author's fields without reward and done."""

    metadata: dict[str, Any]
    echoed: str
    length: int


class Results(msgspec.Struct, tag_field="type", tag="results"):
    id: int
    lanes: list[int]
    observations: list[Seen]
    rewards: list[Any]
    done: list[bool]


def answering(encoding: str, lanes: int) -> Callable[[bytes], bytes]:
    """What turns a frame into its reply."""
    form: Any = msgspec.json if encoding == JSON else msgspec.msgpack
    decode, encode = form.Decoder(Step).decode, form.Encoder().encode
    numbers = [*range(lanes)]
    steps = [Inline().step for _ in numbers]

    def answer(frame: bytes) -> bytes:
        message = decode(frame)
        taken = [step(action) for step, action in zip(steps, message.actions, strict=True)]
        seen = [Seen(each.metadata, each.echoed, each.length) for each in taken]
        rewards, done = [each.reward for each in taken], [each.done for each in taken]
        reply: bytes = encode(Results(message.id, numbers, seen, rewards, done))
        return reply

    return answer


def run(target: Target, encoding: str, lanes: int) -> Sample:
    answer = answering(encoding, lanes)
    due: dict[bytes, bytes] = {}
    for number, batch in enumerate(turns(lanes)):
        frame = step(encoding, number, batch)
        due[frame] = answer(frame)
        check_reply(number, batch, read(encoding, due[frame]))

    def exchange(frame: bytes) -> None:
        if answer(frame) != due[frame]:
            raise ValueError("The same batch was answered in two ways")

    return count(exchange, [*due], target, lanes)


if __name__ == "__main__":
    obey(lambda target: run(target, sys.argv[1], int(sys.argv[2])))
