"""What each method takes."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from openenv_lite.errors import InvalidArgumentsError
from openenv_lite.mcp.methods import METHODS, params_of
from openenv_lite.mcp.params import Cancelled, Decoder
from tests.test_codec import JSON


def raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


LEAST: dict[str, dict[str, Any]] = {
    "initialize": {"protocolVersion": "2025-11-25"},
    "ping": {},
    "server/discover": {},
    "tools/list": {},
    "tools/call": {"name": "a"},
    "resources/list": {},
    "resources/templates/list": {},
    "resources/read": {"uri": "a://b"},
    "resources/subscribe": {"uri": "a://b"},
    "resources/unsubscribe": {"uri": "a://b"},
    "prompts/list": {},
    "prompts/get": {"name": "a"},
    "completion/complete": {
        "ref": {"type": "ref/prompt", "name": "a"},
        "argument": {"name": "b", "value": ""},
    },
    "logging/setLevel": {"level": "info"},
    "subscriptions/listen": {"notifications": {}},
}


def test_the_least_that_each_method_takes_is_listed_here() -> None:
    assert LEAST.keys() == METHODS.keys()


@pytest.mark.parametrize("method", METHODS)
def test_the_least_will_do_and_more_is_ignored(method: str) -> None:
    least = LEAST[method]
    for given_ in (least, {**least, "later": [1], "_meta": {"other/thing": {}}}):
        assert isinstance(params_of(method, raw(given_)), METHODS[method].takes)


@pytest.mark.parametrize(("method", "name"), [(m, name) for m in LEAST for name in LEAST[m]])
def test_what_is_missing_or_of_another_type_is_refused(method: str, name: str) -> None:
    missing = {key: value for key, value in LEAST[method].items() if key != name}
    for faulty in (missing, {**missing, name: 5}, {**missing, name: None}):
        with pytest.raises(InvalidArgumentsError) as caught:
            params_of(method, raw(faulty))
        assert caught.value.rpc_code == -32602


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("faulty", [None, [], 5, "x", {"_meta": None}, {"_meta": []}])
def test_params_are_an_object(method: str, faulty: Any) -> None:
    given_ = {**LEAST[method], **faulty} if isinstance(faulty, dict) else faulty
    with pytest.raises(InvalidArgumentsError):
        params_of(method, raw(given_))


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("tools/call", {"arguments": []}),
        ("tools/call", {"arguments": None}),
        ("tools/call", {"inputResponses": 5}),
        ("tools/call", {"requestState": 5}),
        ("prompts/get", {"arguments": {"a": 5}}),
        ("tools/list", {"cursor": 5}),
        ("completion/complete", {"ref": {"type": "ref/other", "name": "a"}}),
        ("logging/setLevel", {"level": "loud"}),
        ("subscriptions/listen", {"notifications": {"resourceSubscriptions": [5]}}),
        ("ping", {"_meta": {"progressToken": True}}),
        ("ping", {"_meta": {"progressToken": None}}),
        ("ping", {"_meta": {"io.modelcontextprotocol/logLevel": "loud"}}),
    ],
)
def test_what_does_not_fit_is_refused(method: str, more: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentsError):
        params_of(method, raw({**LEAST[method], **more}))


def test_meta_is_read() -> None:
    prefix = "io.modelcontextprotocol/"
    meta = {
        "progressToken": 0,
        f"{prefix}protocolVersion": "2026-07-28",
        f"{prefix}clientCapabilities": {"roots": {}},
        f"{prefix}logLevel": "error",
    }
    found = params_of("tools/list", raw({"_meta": meta})).meta
    assert (found.progress_token, found.revision, found.log_level) == (0, "2026-07-28", "error")
    assert found.capabilities == {"roots": {}}
    empty = params_of("tools/list", raw({})).meta
    assert empty.progress_token is empty.revision is empty.capabilities is UNSET


def test_a_null_where_answers_could_be_is_as_if_there_were_none() -> None:
    found = params_of("tools/call", raw({"name": "a", "inputResponses": None}))
    assert (found.input_responses, found.request_state) == (None, UNSET)
    assert found.arguments == {}


def test_the_defaults_of_one_request_are_not_those_of_the_next() -> None:
    first, second = (params_of("tools/call", raw({"name": "a"})) for _ in range(2))
    first.arguments["x"] = 1
    assert second.arguments == {}


@pytest.mark.parametrize("identity", [0, 7, "", "a"])
def test_a_cancellation_names_its_request(identity: Any) -> None:
    assert Decoder(Cancelled)(raw({"requestId": identity})).request_id == identity


@given(st.sampled_from(sorted(METHODS)), JSON | st.dictionaries(st.text(), JSON))
def test_no_params_do_worse_than_be_refused(method: str, value: Any) -> None:
    try:
        body = msgspec.Raw(msgspec.json.encode(value))
    except (UnicodeEncodeError, TypeError):
        return
    try:
        params_of(method, body)
    except InvalidArgumentsError as error:
        assert error.message.startswith("Invalid params: ")


def test_params_nested_beyond_reason_are_refused() -> None:
    deep = b'{"name":"a","arguments":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}"
    with pytest.raises(InvalidArgumentsError):
        params_of("tools/call", msgspec.Raw(deep))
