"""The headers that repeat a request of 2026-07-28."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite.errors import HeaderMismatchError
from openenv_lite.mcp.headers import check_arguments, check_routing, repeated, trimmed

RIGHT = {
    b"mcp-protocol-version": b"2026-07-28",
    b"mcp-method": b"tools/call",
    b"mcp-name": b"add",
}
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def wrapped(text: str) -> bytes:
    return b"=?base64?" + base64.b64encode(text.encode()) + b"?="


def routes(headers: dict[bytes, bytes], name: str | None = "add") -> bool:
    try:
        check_routing(headers, "2026-07-28", "tools/call", name)
    except HeaderMismatchError as error:
        assert (error.status, error.rpc_code) == (400, -32020)
        return False
    return True


def test_headers_that_repeat_the_body_pass() -> None:
    assert routes(RIGHT)
    assert routes({**RIGHT, b"mcp-name": b" \t add \t"})
    assert routes({**RIGHT, b"mcp-name": wrapped("add")})
    unnamed = {name: value for name, value in RIGHT.items() if name != b"mcp-name"}
    assert routes(unnamed, None)


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize(
    "value", [None, b"", b"other", b"ADD", b"TOOLS/CALL", b"add, add", b"\xff"]
)
def test_a_header_that_is_missing_or_says_something_else_is_refused(
    name: bytes, value: bytes | None
) -> None:
    others = {key: each for key, each in RIGHT.items() if key != name}
    assert not routes(others if value is None else {**others, name: value})


@pytest.mark.parametrize("revision", [None, 5, [], {}, "2025-11-25"])
def test_the_version_is_compared_with_whatever_the_body_says(revision: Any) -> None:
    with pytest.raises(HeaderMismatchError):
        check_routing(RIGHT, revision, "tools/call", "add")


@given(TEXT)
def test_any_name_can_be_sent_wrapped(name: str) -> None:
    assert routes({**RIGHT, b"mcp-name": wrapped(name)}, name)
    assert not routes({**RIGHT, b"mcp-name": wrapped(name + "x")}, name)


@given(st.binary(max_size=30), TEXT)
def test_no_bytes_do_worse_than_be_refused(value: bytes, name: str) -> None:
    passes = routes({**RIGHT, b"mcp-name": value}, name)
    assert passes is (value.strip(b" \t") == name.encode() or _unwraps(value, name))


def _unwraps(value: bytes, name: str) -> bool:
    value = value.strip(b" \t")
    if not (value.startswith(b"=?base64?") and value.endswith(b"?=")) or len(value) < 11:
        return name.isascii() and value == name.encode()
    try:
        return base64.b64decode(value[9:-2], validate=True).decode() == name
    except ValueError:
        return False


SCHEMA = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "count": {"type": "integer", "x-mcp-header": "Count"},
        "plain": {"type": "string"},
        "where": {
            "type": "object",
            "properties": {"exact": {"type": "boolean", "x-mcp-header": "X-Exact"}},
        },
    },
}
REPEATS = repeated(SCHEMA)


def argues(headers: dict[bytes, bytes], arguments: dict[str, Any]) -> bool:
    try:
        check_arguments(headers, REPEATS, arguments)
    except HeaderMismatchError:
        return False
    return True


def test_a_schema_names_the_headers() -> None:
    assert REPEATS == (
        (("region",), b"mcp-param-region"),
        (("count",), b"mcp-param-count"),
        (("where", "exact"), b"mcp-param-x-exact"),
    )


@given(st.dictionaries(st.text(), st.none() | st.text() | st.lists(st.integers())) | st.just({}))
def test_a_schema_that_is_strange_names_none(schema: dict[str, Any]) -> None:
    for strange in (schema, {"properties": schema}, {"properties": {"a": schema}}):
        assert all(isinstance(name, bytes) for _, name in repeated(strange))


@pytest.mark.parametrize(
    ("headers", "arguments", "passes"),
    [
        ({}, {}, True),
        ({}, {"plain": "x"}, True),
        ({}, {"region": None, "where": None}, True),
        ({"region": b"eu"}, {"region": "eu"}, True),
        ({"region": b" eu\t"}, {"region": "eu"}, True),
        ({"region": b"eu"}, {"region": "us"}, False),
        ({"region": b"eu"}, {}, False),
        ({}, {"region": "eu"}, False),
        ({"region": b""}, {"region": ""}, True),
        ({"count": b"5"}, {"count": 5}, True),
        ({"count": b"05"}, {"count": 5}, False),
        ({"x-exact": b"true"}, {"where": {"exact": True}}, True),
        ({"x-exact": b"True"}, {"where": {"exact": True}}, False),
        ({"x-exact": b"false"}, {"where": {"exact": False}}, True),
        ({"x-exact": b"true"}, {"where": "exact"}, False),
        ({"region": b"=?base64?SGVsbG8=?="}, {"region": "Hello"}, True),
        ({"region": b"=?base64?SGVsbG8?="}, {"region": "Hello"}, False),
        ({"region": b"=?base64?SGVs!!!bG8=?="}, {"region": "Hello"}, False),
        ({"region": b"SGVsbG8="}, {"region": "SGVsbG8="}, True),
        ({"region": b"=?base64?SGVsbG8="}, {"region": "=?base64?SGVsbG8="}, True),
        ({"region": b"=?base64?/w==?="}, {"region": "\xff"}, False),
        ({"region": b"\xff"}, {"region": "\xff"}, False),
    ],
)
def test_the_arguments_are_compared(headers: Any, arguments: Any, passes: bool) -> None:
    given_ = {f"mcp-param-{name}".encode(): value for name, value in headers.items()}
    assert argues(given_, arguments) is passes


@given(TEXT, TEXT)
def test_any_argument_can_be_sent_wrapped(value: str, other: str) -> None:
    assert argues({b"mcp-param-region": wrapped(value)}, {"region": value})
    if other != value:
        assert not argues({b"mcp-param-region": wrapped(other)}, {"region": value})


def test_blanks_are_trimmed_and_nothing_else() -> None:
    assert trimmed({b"a": b" \tx y\t "}, b"a") == "x y"
    assert trimmed({}, b"a") is None
    with pytest.raises(HeaderMismatchError):
        trimmed({b"a": "é".encode()}, b"a")
