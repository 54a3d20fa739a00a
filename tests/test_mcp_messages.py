"""Bytes to JSON-RPC messages, and replies to bytes."""

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite.errors import (
    CapabilityError,
    InvalidArgumentsError,
    InvalidJSONError,
    InvalidMessageError,
    UnknownToolError,
)
from openenv_lite.mcp import messages
from openenv_lite.mcp.methods import params_of
from tests.test_codec import BROKEN, JSON

IDS = st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
OBJECTS = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON, max_size=4)


@given(IDS, st.text(st.characters(exclude_categories=["Cs"])), OBJECTS)
def test_a_request_and_a_notification_are_told_apart(
    identity: Any, method: str, params: dict[str, Any]
) -> None:
    params = msgspec.json.decode(msgspec.json.encode(params))
    for body in (json.dumps, msgspec.json.encode):
        asked = {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}
        request = messages.read(body(asked))
        assert (request.is_request, request.is_notification) == (True, False)
        assert (request.identity, request.method) == (identity, method)
        assert msgspec.json.decode(request.params) == params
        del asked["id"]
        told = messages.read(body(asked))
        assert (told.is_request, told.is_notification) == (False, True)


@given(IDS, JSON)
def test_what_we_send_is_read_back(identity: Any, value: Any) -> None:
    value = msgspec.json.decode(msgspec.json.encode(value))  # infinity becomes null
    reply = messages.read(messages.reply(identity, value))
    assert (reply.id, reply.is_request, reply.is_notification) == (identity, False, False)
    assert isinstance(reply.result, msgspec.Raw)
    assert msgspec.json.decode(reply.result) == value
    request = messages.read(messages.message("m", {"v": value}, identity))
    assert (request.identity, request.method) == (identity, "m")
    assert messages.read(messages.message("m", {"v": value})).is_notification


@given(IDS, IDS)
def test_every_byte_of_ours_is_on_one_line(identity: Any, text: Any) -> None:
    for body in (
        messages.reply(identity, {"text": f"a\n{text}\r\n\u2028"}),
        messages.message("m", {"text": f"{text}\n"}, identity),
        messages.error_reply(identity, UnknownToolError(f"a\n{text}"), -32602),
    ):
        assert not {b"\n", b"\r"} & {body[i : i + 1] for i in range(len(body))}


@pytest.mark.parametrize(
    "inner", [each for each in BROKEN if each.strip()], ids=lambda b: repr(b)[:30]
)
def test_what_is_no_json_is_told_so(inner: bytes) -> None:
    with pytest.raises((InvalidJSONError, InvalidMessageError)):
        messages.read(inner)
    within = b'{"jsonrpc":"2.0","id":1,"method":"ping","params":' + inner + b"}"
    with pytest.raises((InvalidJSONError, InvalidArgumentsError)):
        params_of("ping", messages.read(within).params)
    assert messages.identity_of(inner) is None


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b"5",
        b"null",
        b'{"jsonrpc":"1.0","method":"ping","id":1}',
        b'{"method":"ping","id":1}',
        b'{"jsonrpc":"2.0","method":5,"id":1}',
        b'{"jsonrpc":"2.0","method":"ping","id":null}',
        b'{"jsonrpc":"2.0","method":"ping","id":1.5}',
        b'{"jsonrpc":"2.0","method":"ping","id":true}',
        b'{"jsonrpc":"2.0","method":"ping","id":[1]}',
        b'{"jsonrpc":"2.0","id":1}',
        b'{"jsonrpc":"2.0","result":1}',
        b'{"jsonrpc":"2.0","id":1,"result":1,"error":{}}',
    ],
)
def test_what_is_no_message_is_told_so(body: bytes) -> None:
    with pytest.raises(InvalidMessageError):
        messages.read(body)


@given(st.binary() | JSON.map(lambda each: json.dumps(each).encode()))
def test_no_bytes_do_worse_than_be_refused(body: bytes) -> None:
    for read in (messages.read, messages.read_batch):
        with contextlib.suppress(InvalidJSONError, InvalidMessageError):
            read(body)
    messages.is_batch(body)
    assert messages.identity_of(body) is None or isinstance(messages.identity_of(body), int | str)


@pytest.mark.parametrize(
    ("body", "identity"),
    [
        (b'{"id":0}', 0),
        (b'{"id":"","method":5}', ""),
        (b'{"id":7,"jsonrpc":"1.0"}', 7),
        (b'{"id":true}', None),
        (b'{"id":null}', None),
        (b'{"id":1.5}', None),
        (b'[{"id":1}]', None),
        (b"x", None),
    ],
)
def test_the_sender_of_what_is_refused_can_tell_which_it_was(body: bytes, identity: Any) -> None:
    assert messages.identity_of(body) == identity


@pytest.mark.parametrize(
    ("body", "is_one"),
    [
        (b"[]", True),
        ("[1]", True),
        (b" \n\t[", True),
        ("  [", True),
        (b'{"a":[]}', False),
        (b"", False),
        ("", False),
    ],
)
def test_a_batch_is_known_by_its_bracket(body: bytes | str, is_one: bool) -> None:
    assert messages.is_batch(body) is is_one


def test_the_messages_of_a_batch_are_read_one_by_one() -> None:
    first, second = messages.read_batch(b'[{"jsonrpc":"2.0","id":1,"method":"ping"},5]')
    assert messages.read(first).identity == 1
    with pytest.raises(InvalidMessageError):
        messages.read(second)
    for faulty in (b"[]", b" [ ] "):
        with pytest.raises(InvalidMessageError):
            messages.read_batch(faulty)


def test_an_error_names_its_request_where_that_is_known() -> None:
    error = CapabilityError("no sampling", requiredCapabilities={"sampling": {}})
    told = json.loads(messages.error_reply(0, error, -32021))
    data: dict[str, Any] = {"requiredCapabilities": {"sampling": {}}}
    body = {"code": -32021, "message": "no sampling", "data": data}
    assert told == {"jsonrpc": "2.0", "id": 0, "error": body}
    unknown = json.loads(messages.error_reply(None, UnknownToolError("no"), -32602))
    assert unknown == {"jsonrpc": "2.0", "error": {"code": -32602, "message": "no"}}


def test_details_that_json_cannot_carry_are_left_out() -> None:
    error = CapabilityError("no", strange={1j: object()})
    assert "data" not in json.loads(messages.error_reply(1, error, -1))["error"]
