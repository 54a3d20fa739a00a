"""Load from one blocking socket with frames made beforehand, on either dialect of `/ws`.

What the client does is the same for all, so that what differs is the dialect. Argument: `plain` for
OpenEnv's, or the encoding of one lane of our subprotocol.
"""

import json
import sys
from collections.abc import Callable
from typing import NamedTuple

from benchmarks.drives import batches
from benchmarks.drives.exchange import (
    Sample,
    Target,
    check,
    count,
    messages,
    obey,
    reset_message,
    step_message,
)
from benchmarks.drives.raw import BINARY, TEXT, connect, framed, payload_of

__all__: list[str] = []


class Dialect(NamedTuple):
    """What is said in a dialect; `check` raises unless a reply is right for a text."""

    header: str
    kind: int
    greeting: list[bytes]
    step: Callable[[str], bytes]
    check: Callable[[str, bytes], None]


def check_plain(text: str, reply: bytes) -> None:
    data = json.loads(reply)["data"]
    check(text, data["observation"], data["reward"])


def lane(encoding: str) -> Dialect:
    return Dialect(
        f"Sec-WebSocket-Protocol: openenv-lite.{encoding}\r\n",
        TEXT if encoding == batches.JSON else BINARY,
        [batches.opening(encoding, 1), batches.reset(encoding)],
        lambda text: batches.step(encoding, 1, [text]),
        lambda text, reply: batches.check_reply(1, [text], batches.read(encoding, reply)),
    )


PLAIN = Dialect("", TEXT, [reset_message()], step_message, check_plain)


def run(target: Target, dialect: Dialect) -> Sample:
    with connect(target.address, dialect.header) as connection:

        def ask(frame: bytes) -> bytes:
            connection.sendall(frame)
            return payload_of(connection.recv(65536), dialect.kind)

        for message in dialect.greeting:
            ask(framed(message, dialect.kind))
        due: dict[bytes, bytes] = {}
        for text in messages(0):
            frame = framed(dialect.step(text), dialect.kind)
            due[frame] = ask(frame)
            dialect.check(text, due[frame])

        def exchange(frame: bytes) -> None:
            if ask(frame) != due[frame]:
                raise ValueError(f"A step was answered with something other than {due[frame]!r}")

        return count(exchange, [*due], target)


if __name__ == "__main__":
    spoken = PLAIN if sys.argv[1] == "plain" else lane(sys.argv[1])
    obey(lambda target: run(target, spoken))
