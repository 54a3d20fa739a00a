import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite.errors import ConfigurationError
from openenv_lite.server.authorization import Principal
from openenv_lite.server.guard import Guard, Refusal
from openenv_lite.server.settings import ServerSettings

Raw = list[tuple[bytes, bytes]]

PUBLIC = "10.0.0.7"
OPEN = Guard(ServerSettings())


def guard(**settings: Any) -> Guard:
    return Guard(ServerSettings(**settings))


def scope_of(raw: Raw, address: str | None = "127.0.0.1") -> dict[str, Any]:
    server = None if address is None else (address, 8000)
    return {"type": "http", "scheme": "http", "server": server, "headers": raw, "root_path": ""}


def judged(keeper: Guard, raw: Raw, address: str | None = "127.0.0.1") -> Refusal | None:
    return keeper.check(dict(raw), scope_of(raw, address))


def status(
    keeper: Guard, host: str | None, origin: str | None = None, address: str | None = "127.0.0.1"
) -> int:
    """What the guard says, with 200 for a request that it lets in."""
    given = {b"host": host, b"origin": origin}
    raw = [(name, value.encode()) for name, value in given.items() if value is not None]
    refusal = judged(keeper, raw, address)
    return 200 if refusal is None else refusal.status


LOOPBACK_NAMES = [
    "localhost",
    "localhost:8000",
    "LocalHost:8000",
    "127.0.0.1",
    "127.0.0.1:8000",
    "127.8.9.10:1",
    "[::1]",
    "[::1]:8000",
    " localhost:8000\t",
]
OTHER_NAMES = [
    "evil.example.com",
    "evil.example.com:8000",
    "localhost.evil.com",
    "evil.com/localhost",
    "xlocalhost",
    "localhost:",
    "localhost:80:80",
    "localhost:123456",
    "localhost:8000x",
    "localhost\n",
    "localhost, localhost",
    "user@localhost",
    "127.0.0.1.evil.com",
    "127.0.0",
    "128.0.0.1",
    "[::1",
    "::1",
    "[::2]",
    "0.0.0.0",
    "",
    None,
]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", LOOPBACK_NAMES)
def test_the_loopback_is_called_by_its_own_names(host: str, address: str) -> None:
    assert status(guard(), host, address=address) == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", OTHER_NAMES)
def test_no_other_name_reaches_the_loopback(host: str | None, address: str) -> None:
    assert status(guard(), host, address=address) == 421


@pytest.mark.parametrize("address", [PUBLIC, "fe80::1", "/run/openenv.sock", "test", None])
@pytest.mark.parametrize("host", [*LOOPBACK_NAMES, *OTHER_NAMES])
def test_elsewhere_every_name_will_do(host: str | None, address: str | None) -> None:
    assert status(guard(), host, address=address) == 200


@pytest.mark.parametrize("server", [None, (), ("127.0.0.1", None), ["127.0.0.1", 80]])
def test_servers_describe_their_address_in_many_ways(server: Any) -> None:
    scope = {**scope_of([(b"host", b"localhost")]), "server": server}
    assert OPEN.check({b"host": b"localhost"}, scope) is None


def test_a_scope_may_not_say_where_the_server_is() -> None:
    scope = scope_of([(b"host", b"evil.com")])
    del scope["server"]
    assert OPEN.check({b"host": b"evil.com"}, scope) is None


@pytest.mark.parametrize(
    ("entry", "welcome", "refused"),
    [
        ("a.com", ["a.com", "A.COM", "a.com:80", "a.com:9"], ["a.com.", "b.a.com", "a.com:x"]),
        ("a.com:80", ["a.com:80"], ["a.com", "a.com:8080", "a.com:8"]),
        ("a.com:*", ["a.com", "a.com:80"], ["b.com", "axcom"]),
        ("A.com", ["a.com"], ["aacom"]),
        ("[::1]", ["[::1]", "[::1]:80"], ["::1", "localhost"]),
        ("*", ["a.com", "x", "", "\n"], []),
    ],
)
def test_names_can_be_given(entry: str, welcome: list[str], refused: list[str]) -> None:
    keeper = guard(allowed_hosts=("other.org", entry))
    for address in ("127.0.0.1", PUBLIC, None):
        assert {status(keeper, each, address=address) for each in welcome} == {200}
        assert {status(keeper, each, address=address) for each in refused} <= {421}
        assert status(keeper, "other.org", address=address) == 200


def test_with_names_given_the_loopbacks_own_do_not_count() -> None:
    assert status(guard(allowed_hosts=("a.com",)), "localhost") == 421
    assert status(guard(allowed_hosts=("a.com",)), None, address=PUBLIC) == 421


def test_a_name_that_was_right_once_does_not_open_the_door_for_another() -> None:
    keeper = guard()
    for host, expected in (("localhost", 200), ("evil.com", 421), ("localhost", 200), ("", 421)):
        assert status(keeper, host) == expected


@pytest.mark.parametrize(
    "entry", ["", "http://a.com", "a.com/", "*.a.com", "::1", "a b", "a:b", "a.com\n", "bücher.de"]
)
def test_a_name_that_cannot_be_one_is_refused_at_start(entry: str) -> None:
    with pytest.raises(ConfigurationError, match=r"name:port"):
        guard(allowed_hosts=(entry,))


@pytest.mark.parametrize("address", ["127.0.0.1", PUBLIC, None])
@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8000", "http://localhost:8000"),
        ("localhost", "HTTPS://localhost"),
        ("127.0.0.1:8000", " http://127.0.0.1:8000 "),
        ("[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_the_servers_own_pages_may_call(host: str, origin: str, address: str | None) -> None:
    assert status(guard(), host, origin, address) == 200


def test_a_public_server_serves_its_own_pages_and_no_others() -> None:
    for origin, expected in (
        ("https://env.org", 200),
        ("http://env.org", 200),
        ("https://env.org:8443", 403),
        ("https://evil.com", 403),
        ("http://localhost:3000", 403),
    ):
        assert status(guard(), "env.org", origin, PUBLIC) == expected


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:5"])
def test_local_pages_may_call_a_local_server_and_no_other(origin: str) -> None:
    assert status(guard(), "localhost:8000", origin) == 200
    assert status(guard(), "localhost:8000", origin, PUBLIC) == 403
    assert status(guard(), "localhost:8000", origin, None) == 403


@pytest.mark.parametrize("address", ["127.0.0.1", PUBLIC, None])
@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        " ",
        "http://",
        "https://evil.example.com",
        "http://evil.com:8000",
        "http://localhost.evil.com",
        "http://localhost@evil.com",
        "http://localhost:8000/",
        "http://localhost:8000, http://localhost:8000",
        "ftp://localhost:8000",
        "localhost:8000",
        "http://localhost:8000\n",
    ],
)
def test_other_pages_may_not_call(origin: str, address: str | None) -> None:
    for keeper in (guard(), guard(allowed_origins=("https://app.org",))):
        assert status(keeper, "localhost:8000", origin, address) == 403


def test_an_empty_host_is_nobodys_origin() -> None:
    for host in (None, ""):
        assert status(guard(), host, "http://", PUBLIC) == 403


def test_rebinding_is_refused_though_the_page_calls_its_own_origin() -> None:
    assert status(guard(), "evil.com:8000", "http://evil.com:8000") == 421


@pytest.mark.parametrize(
    ("entry", "welcome", "refused"),
    [
        ("https://a.com", ["https://a.com", "https://A.com"], ["http://a.com", "https://a.com:8"]),
        ("https://a.com:8", ["https://a.com:8"], ["https://a.com", "https://a.com:80"]),
        ("https://a.com:*", ["https://a.com", "https://a.com:80"], ["https://b.com", "null"]),
        ("vscode-webview://id", ["vscode-webview://id"], ["vscode-webview://other"]),
    ],
)
def test_origins_can_be_given(entry: str, welcome: list[str], refused: list[str]) -> None:
    keeper = guard(allowed_origins=("https://other.org", entry))
    for address in ("127.0.0.1", PUBLIC, None):
        assert {status(keeper, "localhost", each, address) for each in welcome} == {200}
        assert {status(keeper, "localhost", each, address) for each in refused} == {403}


@pytest.mark.parametrize("entry", ["", "*", "a.com", "null", "https://a.com/", "https://*.a.com"])
def test_an_origin_that_cannot_be_one_is_refused_at_start(entry: str) -> None:
    with pytest.raises(ConfigurationError, match="no path"):
        guard(allowed_origins=(entry,))


@pytest.mark.parametrize(
    ("name", "expected"), [(b"host", 400), (b"origin", 403), (b"authorization", 400)]
)
@pytest.mark.parametrize("address", ["127.0.0.1", PUBLIC, None])
def test_a_header_that_decides_may_come_but_once(
    name: bytes, expected: int, address: str | None
) -> None:
    good = {b"host": b"localhost", b"origin": b"http://localhost", b"authorization": b"Bearer x"}
    raw = [*good.items(), (name, good[name])]
    for headers in (dict(raw), {**dict(raw), name: good[name] + b"," + good[name]}):
        refusal = guard(allowed_hosts=("*",)).check(headers, scope_of(raw, address))
        assert refusal is not None
        assert refusal.status == expected


def test_other_headers_may_be_repeated() -> None:
    raw = [(b"host", b"localhost"), (b"cookie", b"a"), (b"cookie", b"b"), (b"x", b""), (b"x", b"")]
    assert judged(guard(), raw) is None


@pytest.mark.parametrize(
    "refusal",
    [
        judged(OPEN, [(b"host", b"<script>evil")]),
        judged(OPEN, [(b"host", b"localhost"), (b"origin", b"<script>evil")]),
    ],
)
def test_a_refusal_is_a_whole_response_that_says_what_to_do(refusal: Refusal) -> None:
    headers = dict(refusal.headers)
    assert headers[b"content-length"] == str(len(refusal.body)).encode()
    assert headers[b"content-type"] == b"application/json"
    reply = msgspec.json.decode(refusal.body)
    assert "id" not in reply
    assert reply["error"]["code"] == -32600
    assert "allowed_" in reply["error"]["message"]
    assert b"evil" not in refusal.body


@pytest.mark.parametrize(
    "settings",
    [
        {"mcp_token": "short"},
        {"mcp_key": "short"},
        {"verify_timeout_s": 0},
        {"allowed_hosts": []},
        {"allowed_hosts": "a.com"},
    ],
    ids=repr,
)
def test_settings_out_of_bounds_are_refused(settings: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(settings, ServerSettings)


def test_settings_are_read_from_plain_values() -> None:
    settings = msgspec.convert(
        {"verify_token": guard, "allowed_hosts": ["a.com"], "mcp_key": "k" * 16}, ServerSettings
    )
    assert settings.verify_token is guard
    assert settings.allowed_hosts == ("a.com",)


KEEPERS = st.sampled_from(
    [
        OPEN,
        guard(allowed_hosts=("a.com", "b.com:80"), allowed_origins=("https://a.com:*",)),
        guard(mcp_token="t" * 16),
        guard(verify_token=lambda token: token, required_scopes=("read",)),
    ]
)
VALUES = st.binary(max_size=40) | st.sampled_from(
    [b"localhost", b"a.com", b"https://a.com", b"null", b"Bearer x", b"Bearer " + b"t" * 16]
)
FIELDS = st.sampled_from([b"host", b"origin", b"authorization", b"cookie"]) | st.binary(max_size=9)
ADDRESSES = st.sampled_from(["127.0.0.1", "::1", PUBLIC, "", None]) | st.text(max_size=9)


@given(KEEPERS, st.lists(st.tuples(FIELDS, VALUES), max_size=6), ADDRESSES)
def test_whatever_the_headers_hold_there_is_a_verdict(
    keeper: Guard, raw: Raw, address: str | None
) -> None:
    refusal = judged(keeper, raw, address)
    assert refusal is None or refusal.status in (400, 403, 421)
    scope = scope_of(raw, address)
    for verdict in (
        asyncio.run(keeper.authorize(dict(raw), scope)),
        keeper.authorize_now(dict(raw), scope),
    ):
        assert (verdict is None) is not keeper.wants_token
        assert verdict is None or isinstance(verdict, Principal) or verdict.status in (401, 403)
    assert msgspec.json.decode(keeper.protected_resource_metadata(scope))["resource"]


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_only_loopback_names_pass_on_the_loopback(host: bytes, origin: bytes) -> None:
    raw = [(b"host", host), (b"origin", origin)]
    if judged(OPEN, raw) is None:
        assert b"localhost" in host.lower() or b"127." in host or b"[::1]" in host
