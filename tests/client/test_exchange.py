"""The exchange alone: no socket, no loop, no time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite.client.exchange import SESSION_HEADER, Exchange, request
from openenv_lite.client.remote_errors import error_of
from openenv_lite.client.transport import lost
from openenv_lite.errors import (
    CapacityError,
    ConnectionLostError,
    ExecutionError,
    InvalidMessageError,
    OpenEnvError,
    ResetRequiredError,
    SessionAttachedError,
    SessionError,
    UnknownSessionError,
)

NAMED = {SESSION_HEADER: "s1"}


def used(headers: dict[str, str]) -> Exchange:
    exchange = Exchange()
    exchange.opened(exchange.route(beginning=True), headers)
    exchange.sent()
    return exchange


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=40))
def test_no_interleaving_pairs_a_reply_with_another_request(calls: list[tuple[int, bool]]) -> None:
    """Each call reads as many replies as come in time (late ones first), or gives up."""
    exchange = Exchange()
    exchange.opened(None, {})
    on_the_wire: list[int] = []
    for number, (arriving, patient) in enumerate(calls):
        exchange.sent()
        on_the_wire.append(number)
        readable = len(on_the_wire) if patient else min(arriving, len(on_the_wire))
        settled = None
        while settled is None and readable:
            readable -= 1
            reply = on_the_wire.pop(0)
            settled = reply if exchange.settles() else None
        assert settled in (number, None)
        assert settled == number or not patient
        assert exchange.owed == len(on_the_wire)


def test_a_request_is_one_json_object() -> None:
    assert request("step", b'{"a":1}') == b'{"type":"step","data":{"a":1}}'


def test_a_named_session_is_resumed_after_a_loss() -> None:
    exchange = used(NAMED)
    exchange.broken(lost(1006, ""))
    assert exchange.route(beginning=False) == "s1"


def test_a_nameless_session_can_only_be_begun_anew() -> None:
    exchange = used({})
    exchange.broken(lost(1006, ""))
    with pytest.raises(ConnectionLostError, match=r"call reset\(\)"):
        exchange.route(beginning=False)
    assert exchange.route(beginning=True) is None


def test_a_session_the_server_has_ended_is_not_resumed() -> None:
    exchange = used(NAMED)
    exchange.broken(lost(1000, ""))
    with pytest.raises(ConnectionLostError):
        exchange.route(beginning=False)


def test_a_connection_nothing_was_asked_of_is_made_again_silently() -> None:
    exchange = Exchange()
    exchange.opened(None, {})
    exchange.broken(lost(1006, ""))
    assert exchange.route(beginning=False) is None


def test_replies_owed_on_a_dead_connection_are_owed_no_more() -> None:
    exchange = used(NAMED)
    exchange.broken(lost(1006, ""))
    exchange.opened("s1", NAMED)
    exchange.sent()
    assert exchange.settles()


def test_a_resumption_that_is_refused_ends_the_episode() -> None:
    exchange = used(NAMED)
    exchange.turned_away(UnknownSessionError("Unknown session_id: s1"))
    with pytest.raises(ConnectionLostError):
        exchange.route(beginning=False)


def test_a_session_still_held_by_the_old_connection_is_tried_again() -> None:
    exchange = used(NAMED)
    exchange.turned_away(SessionAttachedError("held"))
    assert exchange.route(beginning=False) == "s1"


def test_a_refusal_for_capacity_loses_nothing() -> None:
    exchange = used({})
    exchange.turned_away(CapacityError("full"))
    assert exchange.route(beginning=False) is None


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("CAPACITY_REACHED", "full", CapacityError),
        ("EXECUTION_ERROR", "boom", ExecutionError),
        ("VALIDATION_ERROR", "Invalid message", InvalidMessageError),
        ("RESET_REQUIRED", "", ResetRequiredError),
        ("SESSION_ERROR", "Unknown session_id: x", UnknownSessionError),
        ("SESSION_ERROR", "Session x already has an attached WebSocket", SessionAttachedError),
        ("SESSION_ERROR", "other", SessionError),
        ("NEW_IN_2030", "odd", OpenEnvError),
    ],
)
def test_an_error_frame_is_the_class_it_means(
    code: str, message: str, kind: type[OpenEnvError]
) -> None:
    error = error_of({"code": code, "message": message, "more": 1})
    assert type(error) is kind
    assert (error.message, error.details["more"]) == (message, 1)
