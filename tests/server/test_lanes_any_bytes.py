"""Whatever a client of our subprotocol sends, it is answered well, and the connection lives on."""

import asyncio
import logging
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openenv_lite import ServerMode
from openenv_lite.batches import (
    JSON,
    MSGPACK,
    TABLE,
    Format,
    Receive,
    Refused,
    RequestDecoder,
)
from openenv_lite.errors import InvalidMessageError, OpenEnvError, RequestError
from tests.environments import Add, Awaiting, Inline, Threaded
from tests.leaks import settled
from tests.server.test_lanes import FORMS, opened
from tests.server.test_ws import served
from tests.vector.speaking import Speaker

PROBE = 2**62

WORDS = ["id", "type", "lanes", "lane", "actions", "seeds", "options", "wait", "count", "sessions"]
SIZED = st.integers(-(2**63), 2**64 - 1)  # as far as msgpack goes
LEAVES = (
    st.none()
    | st.booleans()
    | SIZED
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([*WORDS, *TABLE, "", "same_step", "amount", "jsonrpc"])
)


def values(keys: Any, leaves: Any) -> Any:
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=8,
    )


KEYS = st.sampled_from(WORDS) | st.text(max_size=3)
IN_JSON = values(KEYS, LEAVES)
IN_MSGPACK = values(
    KEYS | st.integers(-5, 5) | st.none() | st.tuples(SIZED, st.text(max_size=2)),
    LEAVES
    | st.binary(max_size=4)
    | st.builds(msgspec.msgpack.Ext, st.integers(-3, 3), st.binary(max_size=8)),
)

NUMBERS = st.sampled_from([0, 1, 2, 3, -1, 2**40])
ACTIONS = st.fixed_dictionaries({"amount": st.integers(0, 1)})


def requests(anything: Any) -> Any:
    """Nearly right: each field is what it ought to be, or anything."""
    lanes = st.lists(NUMBERS, max_size=4) | st.none() | anything
    fields = {
        "lanes": lanes,
        "actions": st.lists(ACTIONS | anything, max_size=4) | anything,
        "seeds": st.lists(st.integers(0, 9) | st.none(), max_size=4) | anything,
        "options": st.fixed_dictionaries({}, optional={"start": SIZED}) | anything,
        "wait": st.integers(0, 5) | anything,
        "count": st.integers(0, 9) | anything,
        "autoreset": st.sampled_from(["disabled", "next_step", "same_step"]) | anything,
        "sessions": st.lists(st.text(max_size=3), max_size=2) | anything,
        "lane": NUMBERS | anything,
        "data": anything,
    }
    head = {"type": st.sampled_from([*TABLE]) | anything, "id": st.integers(0, 50) | anything}
    return st.fixed_dictionaries(head, optional=fields)


@st.composite
def frames(draw: st.DrawFn, form: Format) -> bytes:
    """Bytes, values, requests; some of them with a few bytes changed."""
    anything = IN_JSON if form.is_text else IN_MSGPACK
    chosen = draw(st.sampled_from(["bytes", "value", "request", "request", "mutated", "mutated"]))
    if chosen == "bytes":
        noise: bytes = draw(st.binary(max_size=40))
        return noise
    value = draw(anything if chosen == "value" else requests(anything))
    frame: bytes = (msgspec.json if form.is_text else msgspec.msgpack).encode(_keyed(value, form))
    if chosen != "mutated" or not frame:
        return frame
    place = draw(st.integers(0, len(frame) - 1))
    cut = draw(st.integers(0, 3))
    put: bytes = draw(st.binary(max_size=3))
    return frame[:place] + put + frame[place + cut :]


def _keyed(value: Any, form: Format) -> Any:
    return msgspec.to_builtins(value, str_keys=True) if form.is_text else value


class Errors(logging.Handler):
    """What was logged as an error: an author's failure, or one of ours."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))


async def answered(kind: Any, form: Format, sent: list[bytes]) -> None:
    """Send all; each frame has a reply at most, and so has what is asked in between."""
    app = served(kind, max_concurrent_envs=6, resume_grace_s=0)
    async with Speaker(app, form) as peer:
        await opened(peer, 2)
        for number, frame in enumerate(sent):
            peer.send(frame.decode(errors="replace") if form.is_text else frame)
            refused = await peer.want(Receive(id=PROBE + number, wait=1000))
            assert isinstance(refused, Refused)
            assert refused.data["code"] == "VALIDATION_ERROR"
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(peer.order) <= len(sent)
        assert peer.close_code is None
    await settled()
    assert app.state.server.statistics().active == 0


@FORMS
@pytest.mark.parametrize("kind", [Inline, Threaded, Awaiting])
@settings(max_examples=60)
@given(data=st.data())
def test_any_frames(kind: Any, form: Format, data: st.DataObject) -> None:
    sent = data.draw(st.lists(frames(form), min_size=1, max_size=6))
    watch = Errors()
    logging.getLogger().addHandler(watch)
    try:
        asyncio.run(answered(kind, form, sent))
    finally:
        logging.getLogger().removeHandler(watch)
    assert watch.found == []


DECODERS = {
    (form.subprotocol, mode, control): RequestDecoder(Add, form, mode, control)
    for form in (JSON, MSGPACK)
    for mode in ServerMode
    for control in (False, True)
}


@FORMS
@settings(max_examples=300)
@given(data=st.data())
def test_any_frame_is_a_request_or_a_typed_error(form: Format, data: st.DataObject) -> None:
    frame = data.draw(frames(form))
    sent: Any = frame.decode(errors="replace") if form.is_text else frame
    for (name, mode, control), decoder in DECODERS.items():
        if name != form.subprotocol:
            continue
        try:
            request = decoder.decode(sent)
        except OpenEnvError as error:
            assert isinstance(error, RequestError)
            assert len(error.message) < 2000
            assert type(error.details.get("request_id", 0)) is int
            continue
        kind = type(request).__struct_config__.tag
        assert control or mode is ServerMode.SIMULATION or TABLE[kind].in_production


@FORMS
@pytest.mark.parametrize(
    ("message", "code", "identity"),
    [
        ({"type": "step"}, "VALIDATION_ERROR", None),
        ({"type": "step", "id": 4}, "VALIDATION_ERROR", 4),
        ({"type": "step", "id": "4"}, "VALIDATION_ERROR", 4),
        ({"type": "step", "id": True}, "VALIDATION_ERROR", None),
        ({"type": "step", "id": 2**63, "actions": []}, "VALIDATION_ERROR", None),
        ({"type": "step", "id": [1]}, "VALIDATION_ERROR", None),
        ({"type": "steps", "id": 4}, "UNKNOWN_TYPE", 4),
        ({"type": ["step"], "id": 4}, "UNKNOWN_TYPE", 4),
        ({"type": None, "id": 4}, "UNKNOWN_TYPE", 4),
        ({"id": 4}, "UNKNOWN_TYPE", 4),
        ({"type": "open", "id": 4, "count": 0}, "VALIDATION_ERROR", 4),
        ({"type": "open", "id": 4, "autoreset": "later"}, "VALIDATION_ERROR", 4),
        ({"type": "open", "id": 4, "counts": 1}, "VALIDATION_ERROR", 4),
        ({"type": "step", "id": 4, "actions": [], "lanes": [2**63]}, "VALIDATION_ERROR", 4),
        ({"type": "receive", "id": 4, "wait": 0}, "VALIDATION_ERROR", 4),
        ({"type": "x" * 5000, "id": 4}, "UNKNOWN_TYPE", 4),
        ({"type": "reset", "id": 4, "x" * 5000: 1}, "VALIDATION_ERROR", 4),
        ([], "INVALID_JSON", None),
        (None, "INVALID_JSON", None),
    ],
)
def test_a_faulty_message_is_refused_with_its_id_where_it_has_one(
    message: Any, code: str, identity: int | None, form: Format
) -> None:
    frame: Any = form.encode(message)
    decoder = RequestDecoder(Add, form, ServerMode.SIMULATION)
    with pytest.raises(OpenEnvError) as caught:
        decoder.decode(frame.decode() if form.is_text else frame)
    assert caught.value.code == code
    assert caught.value.details.get("request_id") == identity
    assert len(caught.value.message) < 1500


@FORMS
@pytest.mark.parametrize(
    "action", [{(1, 2): 3}, {None: 1}, {b"\xff": 1}, b"\xff", {"amount": b"1"}, {"amount": 2**63}]
)
def test_an_action_that_json_could_not_have_is_its_lanes_own_fault(
    action: Any, form: Format
) -> None:
    if form.is_text:
        action = str(action)
    frame: Any = form.encode({"type": "step", "id": 1, "actions": [action, {"amount": 1}]})
    decoder = RequestDecoder(Add, form, ServerMode.SIMULATION)
    first, second = decoder.decode(frame.decode() if form.is_text else frame).actions
    assert second == Add(amount=1)
    assert isinstance(first, Add | OpenEnvError)


@FORMS
def test_faults_of_more_actions_than_there_can_be_lanes_are_not_told_apart(form: Format) -> None:
    decoder = RequestDecoder(Add, form, ServerMode.SIMULATION, most_lanes=3)

    def decoded(count: int) -> Any:
        frame: Any = form.encode({"type": "step", "id": 5, "actions": [1] * count})
        return decoder.decode(frame.decode() if form.is_text else frame)

    assert [type(each) for each in decoded(3).actions] == [InvalidMessageError] * 3
    with pytest.raises(InvalidMessageError, match="4 actions, and no more lanes than 3") as caught:
        decoded(4)
    assert caught.value.details == {"request_id": 5}


DEEP = 100_000


@pytest.mark.parametrize("form", [JSON, MSGPACK])
@pytest.mark.parametrize("where", ["options", "actions", "type"])
def test_nesting_without_end_is_refused(form: Format, where: str) -> None:
    if form.is_text:
        deep = "[" * DEEP + "]" * DEEP
        frame: Any = f'{{"type":"reset","id":1,"{where}":{deep}}}'
    else:
        start = msgspec.msgpack.encode({"type": "reset", "id": 1, where: 0})
        frame = start[:-1] + b"\x91" * DEEP + b"\x00"
    with pytest.raises(RequestError):
        RequestDecoder(Add, form, ServerMode.SIMULATION).decode(frame)
