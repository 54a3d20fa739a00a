"""What proves that a server did more for a stranger than it may, or told a model too much."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from openenv_lite import codec
from openenv_lite.errors import InvalidJSONError

__all__ = ["Proof", "has_result", "leak_in", "proof_of_control", "shows_lanes", "shows_session"]

Proof = Callable[[Any], bool]
"""From what a server said to whether a control said it."""

_DEEPEST = 4
"""How deep an answer is looked into."""

_STATE_FIELDS = {"episode_id", "step_count"}

_LANE_REPLIES = {
    *("results", "states", "snapshots", "restored", "opened", "exported", "imported", "discarded")
}


def proof_of_control(schemas: Mapping[str, Any], usual: Any) -> Proof:
    """What tells a control's answer from others: an observation in its envelope, or a state.

    Args:
        schemas: The server's, with `state`.
        usual: What the server says where there is nothing; if that looks the same, it is no proof.
    """
    fields = {*schemas.get("state", {}).get("properties", {})} or _STATE_FIELDS

    def proves(said: Any) -> bool:
        return any(_is_envelope(each) or fields <= each.keys() for each in _objects(said))

    return (lambda said: False) if proves(usual) else proves


def _is_envelope(found: Mapping[str, Any]) -> bool:
    return "observation" in found and ("reward" in found or "done" in found)


def _objects(value: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from _objects(each, depth + 1)


def shows_session(said: Any, proof: Proof) -> bool:
    """Whether a message of OpenEnv's `/ws` is what follows a control."""
    if not isinstance(said, dict):
        return False
    is_observation = said.get("type") == "observation" and isinstance(said.get("data"), dict)
    return is_observation or proof(said)


def shows_lanes(said: Any, identity: int) -> bool:
    """Whether a message of our subprotocol is what follows a control."""
    return (
        isinstance(said, dict) and said.get("id") == identity and said.get("type") in _LANE_REPLIES
    )


def has_result(answer: Any) -> bool:
    """Whether a JSON-RPC message says that a call was carried out."""
    if not isinstance(answer, dict) or "jsonrpc" not in answer:
        return False
    return "result" in answer and answer.get("error") is None


def leak_in(shown: Any, reward: Any, secrets: Mapping[str, str]) -> str | None:
    """What a model was shown that is the trainer's alone.

    Args:
        shown: What the model sees, as plain values.
        reward: Of the step that the model's call was; None for none.
        secrets: By what they are.
    """
    for found in [*_objects(shown), *_objects([*_parsed(shown)])]:
        if "reward" in found and "done" in found:
            return f"reward and done, as a trainer is told them: {found}"
        if reward and type(found.get("reward")) in (int, float) and found["reward"] == reward:
            return f"the reward of the step, {reward!r}: {found}"
    text = codec.encode(shown).decode()
    return next((f"the {name}, {each}" for name, each in secrets.items() if each in text), None)


def _parsed(value: Any) -> Iterator[Any]:
    """What stands as JSON in the texts of a value."""
    for found in _objects(value):
        for each in found.values():
            if isinstance(each, str) and each[:1] in ("{", "["):
                try:
                    yield codec.parse(each)
                except InvalidJSONError:
                    continue
