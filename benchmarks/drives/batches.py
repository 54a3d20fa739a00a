"""A batch of steps of the echo environment on our subprotocol, and what answers it rightly."""

from collections.abc import Sequence
from typing import Any

import msgspec

from benchmarks.drives.exchange import check, messages

__all__ = [
    "ENCODINGS",
    "JSON",
    "MSGPACK",
    "check_batch",
    "check_reply",
    "opening",
    "read",
    "reset",
    "step",
    "turns",
]

JSON, MSGPACK = ENCODINGS = "json", "msgpack"
_ENCODERS: dict[str, Any] = {JSON: msgspec.json.Encoder(), MSGPACK: msgspec.msgpack.Encoder()}
_DECODERS: dict[str, Any] = {JSON: msgspec.json.Decoder(), MSGPACK: msgspec.msgpack.Decoder()}


def turns(lanes: int) -> list[list[str]]:
    """Sixteen batches of texts, in which none is another lane's or another batch's."""
    return [list(batch) for batch in zip(*(messages(lane) for lane in range(lanes)), strict=True)]


def opening(encoding: str, lanes: int) -> bytes:
    """Opens the lanes."""
    return _frame(encoding, "open", count=lanes)


def reset(encoding: str) -> bytes:
    """Begins an episode in every lane."""
    return _frame(encoding, "reset")


def step(encoding: str, identity: int, batch: Sequence[str]) -> bytes:
    """Steps every lane."""
    actions = [{"message": text} for text in batch]
    return _frame(encoding, "step", identity, actions=actions)


def _frame(encoding: str, kind: str, identity: int = 0, **fields: Any) -> bytes:
    message = {"type": kind, "id": identity, **fields}
    frame: bytes = _ENCODERS[encoding].encode(message)
    return frame


def read(encoding: str, reply: bytes) -> dict[str, Any]:
    """What a frame from the server says."""
    message: dict[str, Any] = _DECODERS[encoding].decode(reply)
    return message


def check_reply(identity: int, batch: Sequence[str], reply: dict[str, Any]) -> None:
    """Raise ValueError unless this is the answer to `step`."""
    named = reply["type"], reply["id"], reply["lanes"], "errors" in reply
    if named != ("results", identity, [*range(len(batch))], False):
        raise ValueError(f"Step {identity} of {len(batch)} lanes was answered with {named}")
    check_batch(batch, reply["observations"], reply["rewards"])


def check_batch(batch: Sequence[str], observations: Sequence[Any], rewards: Sequence[Any]) -> None:
    """Raise ValueError unless each lane was answered with what is right for its text."""
    for text, observation, reward in zip(batch, observations, rewards, strict=True):
        check(text, observation, reward)
