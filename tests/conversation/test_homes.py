"""Which worker a message belongs to, by its body."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite.conversation.handles import ARGUMENT, OPEN
from openenv_lite.conversation.homes import home_of
from openenv_lite.conversation.service import Inbound
from openenv_lite.mcp.seal import Seal
from openenv_lite.workers import Worker

HERE = Worker(1, 0, 3, "/nowhere")
ALONE = {b"mcp-protocol-version": b"2026-07-28"}
HANDSHAKE = {b"mcp-protocol-version": b"2025-11-25", b"mcp-session-id": b"x"}
META = {"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}
ANN = "ann"


def home(
    params: Any, headers: dict[bytes, bytes] | None = None, named: str | None = None, who: str = ANN
) -> int | None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    inbound = Inbound(json.dumps(message).encode(), headers or {}, who, named)
    return home_of(inbound, HERE)


def handle(claims: Any) -> dict[str, Any]:
    token = Seal(b"a key of 16 bytes or more").seal("session", claims, 1.0)
    return {"name": "act", "arguments": {ARGUMENT: token}}


def test_a_call_without_a_handle_goes_to_the_common_environment() -> None:
    hosts = {who: HERE.host_of(who) for who in map(str, range(20))}
    assert set(hosts.values()) == {0, 1, 2}
    for who, host in hosts.items():
        expected = None if host == 1 else host
        assert home({"name": "act"}, ALONE, who=who) == expected
        assert home({"name": "act", **META}, who=who) == expected
        assert home({"name": "act"}, {**ALONE, b"mcp-session-id": b"x"}, who=who) == expected


def test_a_call_with_a_handle_goes_where_that_was_made() -> None:
    assert home(handle(["2.0.x", ANN]), ALONE) == 2
    assert home(handle(["0.7.x", ANN]), ALONE) == 0
    assert home(handle(["1.0.x", ANN]), ALONE) is None


def test_an_environment_is_opened_wherever_that_is_asked() -> None:
    assert home({"name": OPEN, "arguments": {}}, ALONE) is None


def test_openenvs_dialect_goes_to_the_session_it_names_and_else_stays() -> None:
    assert home({"session_id": "2.0.x", "name": "act"}) == 2
    assert home({"session_id": "1.0.x", "name": "act"}) is None
    assert home({"name": "act"}) is None


def test_what_the_url_or_a_header_names_has_been_routed() -> None:
    assert home({"session_id": "2.0.x"}, HANDSHAKE) is None
    assert home({"name": "act"}, ALONE, named="2.0.x") is None


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"nonsense", b"null", b"[" * 100_000, b'{"params":1}']
)
def test_what_cannot_be_read_is_refused_here(body: bytes) -> None:
    assert home_of(Inbound(body), HERE) is None


CLAIMS = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=4
)


@given(CLAIMS, st.none() | st.text() | st.integers(), CLAIMS)
def test_whatever_is_named_leads_to_a_worker_that_there_is(
    claims: Any, session_id: Any, arguments: Any
) -> None:
    for params in (handle(claims), {"session_id": session_id, "arguments": arguments}):
        for headers in ({}, ALONE):
            assert home(params, headers) in (None, 0, 2)


@given(st.text() | st.from_regex(r"[A-Za-z0-9_-]{20,60}"))
def test_whatever_is_shown_as_a_handle_leads_to_a_worker_that_there_is(shown: str) -> None:
    assert home({"name": "act", "arguments": {ARGUMENT: shown}}, ALONE) in (None, 0, 2)
