"""What runs in the processes of `elsewhere`."""

import math
import os
import random
import signal
import sys
import warnings
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from openenv_lite import codec
from openenv_lite.blueprint import Blueprint
from openenv_lite.testing.sessions.elsewhere import PLAY_S
from openenv_lite.testing.sessions.game import ClassGames
from openenv_lite.testing.sessions.performing import Part, perform

__all__ = ["serve"]


def serve(imports: str, expression: str) -> None:
    """Read a script a line from stdin, and write what it shows to stdout, until stdin ends.

    Args:
        imports: Python that imports the environment.
        expression: Python that names what makes it.
    """
    requests, replies = _pipes()
    try:
        games = _found(imports, expression)
    except Exception as error:  # noqa: BLE001  the author's module may raise anything
        _say(replies, repr(error))
        return
    _say(replies, None)
    for parts in requests:
        if not _play_in_copy(games, parts, replies):
            _say(replies, None)


def _pipes() -> tuple[Iterator[list[Part]], BinaryIO]:
    """Stdin and stdout taken away from the author's code, which might read or print."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    for stream in (0, 1):
        os.dup2(2, stream)
    return map(msgspec.json.Decoder(list[Part]).decode, requests), replies


def _found(imports: str, expression: str) -> ClassGames:
    names: dict[str, object] = {}
    exec(imports, names)
    return ClassGames(Blueprint(eval(expression, names)))


def _say(replies: BinaryIO, value: object) -> None:
    replies.write(codec.encode(value) + b"\n")
    replies.flush()


def _play_in_copy(games: ClassGames, parts: list[Part], replies: BinaryIO) -> bool:
    """Fork, so that nothing that is played meets traces of what was played before.

    Returns:
        Whether the copy has said what it saw.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # threads of a library that only computes
        copy = os.fork()
    if copy:
        return os.waitpid(copy, 0)[1] == 0
    try:
        signal.alarm(math.ceil(PLAY_S))  # ends it, if nobody else has
        _forget_chance()
        _say(replies, perform(games.open, parts))
        os._exit(0)
    finally:
        os._exit(1)


def _forget_chance() -> None:
    """Let the global generators of no two copies agree."""
    random.seed()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
