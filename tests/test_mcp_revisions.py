"""The tables of MCP: revisions, and which methods each has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite.errors import UnknownMessageError, UnsupportedRevisionError
from openenv_lite.mcp.methods import METHODS, method_of
from openenv_lite.mcp.revisions import HANDSHAKE, REVISIONS, STATELESS, negotiate, supported
from tests.test_codec import JSON

NAMES = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]


def test_the_revisions_are_known_in_their_order() -> None:
    assert list(REVISIONS) == NAMES
    assert [each.name for each in HANDSHAKE] == NAMES[:-1]
    assert STATELESS.name == NAMES[-1]
    assert all(name == each.name for name, each in REVISIONS.items())


@pytest.mark.parametrize(
    ("feature", "having"),
    [
        ("is_stateless", "2026-07-28"),
        ("has_batches", "2025-03-26"),
        ("has_structure", "2025-06-18 2025-11-25 2026-07-28"),
        ("has_icons", "2025-11-25 2026-07-28"),
        ("primes_streams", "2025-11-25"),
        ("faulty_arguments_fail_softly", "2025-11-25 2026-07-28"),
    ],
)
def test_what_each_revision_has(feature: str, having: str) -> None:
    found = [name for name, each in REVISIONS.items() if getattr(each, feature)]
    assert found == having.split()


@pytest.mark.parametrize("name", NAMES[:-1])
def test_a_handshake_agrees_on_what_was_asked_for(name: str) -> None:
    assert negotiate(name).name == name


@pytest.mark.parametrize("name", ["2026-07-28", "2099-01-01", "", "DRAFT", "2025-11-25 "])
def test_else_on_the_latest_with_a_handshake(name: str) -> None:
    assert negotiate(name).name == "2025-11-25"


@given(JSON)
def test_a_request_may_name_a_revision_of_ours_only(name: object) -> None:
    with pytest.raises(UnsupportedRevisionError) as caught:
        supported(name)
    assert caught.value.details == {"supported": NAMES, "requested": name}
    assert [supported(each).name for each in NAMES] == NAMES


ONLY_WITH_HANDSHAKE = {
    "initialize",
    "ping",
    "logging/setLevel",
    "resources/subscribe",
    "resources/unsubscribe",
}
ONLY_STATELESS = {"server/discover", "subscriptions/listen"}


@pytest.mark.parametrize("revision", REVISIONS.values(), ids=lambda each: str(each.name))
@pytest.mark.parametrize("name", METHODS)
def test_a_method_exists_where_the_specification_has_it(name: str, revision: object) -> None:
    missing = ONLY_WITH_HANDSHAKE if revision is STATELESS else ONLY_STATELESS
    if name in missing:
        with pytest.raises(UnknownMessageError):
            method_of(name, revision)  # type: ignore[arg-type]
    else:
        assert method_of(name, revision) is METHODS[name]  # type: ignore[arg-type]


@given(st.text())
def test_no_other_method_exists(name: str) -> None:
    for revision in REVISIONS.values():
        if name not in METHODS:
            with pytest.raises(UnknownMessageError) as caught:
                method_of(name, revision)
            assert len(caught.value.message) < 200


def test_what_a_header_repeats_and_what_may_ask() -> None:
    named = {name: row.named_by for name, row in METHODS.items() if row.named_by}
    expected = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
    assert named == expected
    assert {name for name, row in METHODS.items() if row.may_ask} == {*expected}
    assert all(METHODS[name].takes.__struct_fields__ for name in METHODS)
