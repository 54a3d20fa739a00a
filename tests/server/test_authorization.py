import asyncio
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite.errors import ConfigurationError
from openenv_lite.server.authorization import Principal, Refusal, Verdict, bearer_token
from openenv_lite.server.guard import Guard
from openenv_lite.server.settings import ServerSettings
from tests.leaks import on_loop

TOKEN = "a-secret-of-length"
CONTROL = "the-trainers-secret"
METADATA = "http://localhost:8000/.well-known/oauth-protected-resource/mcp"
NOW = 1_000.0


def guard(now: Callable[[], float] = lambda: NOW, **settings: Any) -> Guard:
    return Guard(ServerSettings(**settings), now)


def scope_of(raw: list[tuple[bytes, bytes]], **more: Any) -> dict[str, Any]:
    scope = {"type": "http", "scheme": "http", "server": ("127.0.0.1", 8000), "root_path": ""}
    return {**scope, "path": "/mcp", "query_string": b"", "headers": raw, **more}


def request(authorization: str | bytes | None, **more: Any) -> tuple[Any, Any]:
    """Headers and scope of a request that shows this."""
    value = authorization.encode() if isinstance(authorization, str) else authorization
    raw = [(b"host", b"localhost:8000")]
    raw += [] if value is None else [(b"authorization", value)]
    return dict(raw), scope_of(raw, **more)


async def verdict(keeper: Guard, authorization: str | bytes | None, **more: Any) -> Verdict:
    """What the guard says; where it can say so at once, it must say the same."""
    headers, scope = request(authorization, **more)
    found = await keeper.authorize(headers, scope)
    if keeper.decides_now:
        assert keeper.authorize_now(headers, scope) == found
    return found


def subject(found: Verdict) -> str:
    assert isinstance(found, Principal), found
    return found.subject


def refused(found: Verdict, status: int = 401) -> str:
    """The challenge of a refusal."""
    assert isinstance(found, Refusal), found
    assert found.status == status
    return dict(found.headers).get(b"www-authenticate", b"").decode()


@pytest.mark.parametrize("shown", [None, "Bearer x", f"Bearer {CONTROL}", "é"])
@on_loop
async def test_where_no_authorization_is_set_up_anybody_may_call(shown: str | None) -> None:
    for keeper in (guard(), guard(control_token=CONTROL)):
        assert not keeper.wants_token
        assert await verdict(keeper, shown) is None


@pytest.mark.parametrize(
    "shown",
    [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER   {TOKEN}", f"Bearer {TOKEN} \t"],
)
@on_loop
async def test_who_shows_the_token_may_call(shown: str) -> None:
    keeper = guard(mcp_token=TOKEN)
    assert keeper.wants_token
    assert keeper.decides_now
    assert subject(await verdict(keeper, shown)) == subject(
        await verdict(keeper, f"Bearer {TOKEN}")
    )


@pytest.mark.parametrize(
    "shown",
    [
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN.upper()}",
        f"Bearer {TOKEN} {TOKEN}",
        f"Bearer {TOKEN},{TOKEN}",
        "Bearer é",
        "Bearer None",
        b"Bearer \xff\x00",
    ],
)
@on_loop
async def test_who_shows_another_may_not(shown: str | bytes) -> None:
    challenge = refused(await verdict(guard(mcp_token=TOKEN), shown))
    assert challenge == f'Bearer error="invalid_token", resource_metadata="{METADATA}"'


@pytest.mark.parametrize(
    "shown",
    [None, "", "Bearer", "Bearer ", "Bearer \t ", TOKEN, f"Basic {TOKEN}", f"Bearer{TOKEN}"],
)
@on_loop
async def test_who_shows_none_is_told_how_to_get_one(shown: str | None) -> None:
    found = await verdict(guard(mcp_token=TOKEN), shown)
    assert refused(found) == f'Bearer resource_metadata="{METADATA}"'
    assert isinstance(found, Refusal)
    assert b"Authorization: Bearer" in found.body


@on_loop
async def test_a_token_in_the_url_is_none() -> None:
    query = f"token={TOKEN}&access_token={TOKEN}".encode()
    assert refused(await verdict(guard(mcp_token=TOKEN), None, query_string=query))


@on_loop
async def test_the_control_token_opens_the_same_door() -> None:
    keeper = guard(mcp_token=TOKEN, control_token=CONTROL)
    trainer, agent = [await verdict(keeper, f"Bearer {each}") for each in (CONTROL, TOKEN)]
    assert subject(trainer) != subject(agent)


@on_loop
async def test_a_token_beyond_ascii_works() -> None:
    assert subject(await verdict(guard(mcp_token="ä" * 16), f"Bearer {'ä' * 16}"))


async def later(token: str) -> str | None:
    await asyncio.sleep(0)
    return {"good": "ann"}.get(token)


class Verifier:
    async def __call__(self, token: str) -> str | None:
        return await later(token)


VERIFIERS = [{"good": "ann"}.get, later, Verifier(), lambda token: later(token)]


@pytest.mark.parametrize("verify", VERIFIERS, ids=["plain", "async", "object", "lambda"])
@on_loop
async def test_a_verifier_may_be_plain_or_async(verify: Any) -> None:
    keeper = guard(verify_token=verify)
    assert not keeper.decides_now
    assert await verdict(keeper, "Bearer good") == Principal("ann")
    assert 'error="invalid_token"' in refused(await verdict(keeper, "Bearer bad"))
    assert "error" not in refused(await verdict(keeper, None))


@on_loop
async def test_what_no_verifier_need_see_it_does_not_see() -> None:
    seen: list[str] = []
    keeper = guard(verify_token=seen.append, mcp_token=TOKEN, control_token=CONTROL)
    for shown in (None, "Bearer ", f"Basic {TOKEN}", b"Bearer \xff", "Bearer é"):
        refused(await verdict(keeper, shown))
    for known in (TOKEN, CONTROL):
        assert subject(await verdict(keeper, f"Bearer {known}"))
    assert seen == []
    refused(await verdict(keeper, "Bearer unknown"))
    assert seen == ["unknown"]


@on_loop
async def test_asked_for_a_verdict_at_once_it_refuses_what_only_a_verifier_knows() -> None:
    headers, scope = request("Bearer good")
    refused(guard(verify_token=later).authorize_now(headers, scope))


@pytest.mark.parametrize(
    ("expires_at", "accepted"),
    [(None, True), (NOW + 1, True), (NOW, False), (NOW - 1, False), (0.0, False)],
)
@on_loop
async def test_an_expired_token_is_invalid(expires_at: float | None, accepted: bool) -> None:
    keeper = guard(verify_token=lambda token: Principal("ann", expires_at=expires_at))
    found = await verdict(keeper, "Bearer x")
    if accepted:
        assert subject(found) == "ann"
    else:
        assert 'error="invalid_token"' in refused(found)


@on_loop
async def test_a_token_expires_while_it_is_used() -> None:
    moments = iter([NOW, NOW + 59, NOW + 61])
    keeper = guard(
        lambda: next(moments), verify_token=lambda token: Principal("ann", expires_at=NOW + 60)
    )
    found = [await verdict(keeper, "Bearer x") for _ in range(3)]
    assert [isinstance(each, Principal) for each in found] == [True, True, False]


@pytest.mark.parametrize(
    ("scopes", "accepted"),
    [
        (set(), False),
        ({"read"}, False),
        ({"write"}, False),
        ({"read", "write"}, True),
        (["read", "write", "more"], True),
    ],
)
@on_loop
async def test_every_scope_is_required(scopes: Any, accepted: bool) -> None:
    keeper = guard(
        verify_token=lambda token: Principal("ann", scopes), required_scopes=("read", "write")
    )
    found = await verdict(keeper, "Bearer x")
    if accepted:
        assert subject(found) == "ann"
        return
    assert refused(found, 403) == (
        f'Bearer error="insufficient_scope", scope="read write", resource_metadata="{METADATA}"'
    )


@on_loop
async def test_who_shows_a_token_of_the_settings_lacks_no_scope() -> None:
    keeper = guard(verify_token=later, required_scopes=("read",), mcp_token=TOKEN)
    assert subject(await verdict(keeper, f"Bearer {TOKEN}"))
    assert 'scope="read"' in refused(await verdict(keeper, None))


class SecretError(Exception):
    pass


def raises(error: BaseException) -> Callable[[str], Any]:
    async def verify(token: str) -> None:
        raise error

    return verify


@pytest.mark.parametrize(
    "error",
    [
        SecretError("the database's password"),
        SystemExit("the database's password"),
        TimeoutError("the database's password"),
        asyncio.CancelledError("the database's password"),
    ],
    ids=repr,
)
@on_loop
async def test_what_a_verifier_raises_stays_in_the_log(error: BaseException) -> None:
    found = await verdict(guard(verify_token=raises(error)), "Bearer x")
    assert refused(found, 503) == ""
    assert isinstance(found, Refusal)
    assert b"password" not in found.body


def test_the_operator_is_told_what_a_verifier_raised(caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(verdict(guard(verify_token=raises(SecretError("down"))), "Bearer x"))
    assert "verify_token" in caplog.text
    assert "SecretError: down" in caplog.text


@pytest.mark.parametrize(
    "found",
    [
        True,
        False,
        1,
        "",
        b"ann",
        {"sub": "ann"},
        Principal(""),
        Principal("ann", "read"),  # type: ignore[arg-type]
        Principal("ann", None),  # type: ignore[arg-type]
        Principal("ann", expires_at="tomorrow"),  # type: ignore[arg-type]
        Principal(7),  # type: ignore[arg-type]
        Principal("<mcp_token>"),
        Principal("<control_token>"),
        "<mcp_token>",
    ],
    ids=repr,
)
@on_loop
async def test_what_is_no_principal_lets_nobody_in(found: Any) -> None:
    refused(await verdict(guard(verify_token=lambda token: found), "Bearer x"), 503)


@on_loop
async def test_a_verifier_that_hangs_is_given_up() -> None:
    ended = []

    async def hang(token: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(token)

    keeper = guard(verify_token=hang, verify_timeout_s=0.01)
    refused(await verdict(keeper, "Bearer x"), 503)
    assert ended == ["x"]


@on_loop
async def test_a_caller_who_leaves_is_not_kept_by_the_verifier() -> None:
    asked = asyncio.Event()

    async def hang(token: str) -> None:
        asked.set()
        await asyncio.Event().wait()

    asking = asyncio.create_task(verdict(guard(verify_token=hang), "Bearer x"))
    await asked.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


def metadata(keeper: Guard, **more: Any) -> Any:
    return msgspec.json.decode(keeper.protected_resource_metadata(request(None, **more)[1]))


def test_the_metadata_name_the_resource_and_who_gives_tokens() -> None:
    assert metadata(guard(mcp_token=TOKEN)) == {
        "resource": "http://localhost:8000/mcp",
        "bearer_methods_supported": ["header"],
    }
    keeper = guard(
        verify_token=later,
        required_scopes=("read", "write"),
        authorization_servers=("https://login.org/realm",),
    )
    assert metadata(keeper, scheme="https", root_path="/envs/echo") == {
        "resource": "https://localhost:8000/envs/echo/mcp",
        "authorization_servers": ["https://login.org/realm"],
        "scopes_supported": ["read", "write"],
        "bearer_methods_supported": ["header"],
    }


@pytest.mark.parametrize(
    ("scheme", "root_path", "expected"),
    [
        ("ws", "", METADATA),
        ("wss", "", METADATA.replace("http", "https", 1)),
        ("http", "/a b", METADATA.replace("8000", "8000/a%20b")),
        ("http", '/"\ud800', METADATA.replace("8000", "8000/%22%3F")),
    ],
)
@on_loop
async def test_the_challenge_points_to_the_metadata_as_the_client_sees_them(
    scheme: str, root_path: str, expected: str
) -> None:
    found = await verdict(guard(mcp_token=TOKEN), None, scheme=scheme, root_path=root_path)
    assert refused(found) == f'Bearer resource_metadata="{expected}"'


@given(st.binary(max_size=30), st.text(max_size=9))
def test_nothing_a_client_sends_breaks_out_of_the_challenge(host: bytes, root_path: str) -> None:
    raw = [(b"host", host)]
    scope = scope_of(raw, root_path=root_path)
    challenge = refused(guard(mcp_token=TOKEN).authorize_now(dict(raw), scope))
    assert re.fullmatch(r'Bearer resource_metadata="http://[!#-~]+"', challenge)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"required_scopes": ("read",)}, "verify_token"),
        ({"required_scopes": ("read",), "mcp_token": TOKEN}, "verify_token"),
        ({"authorization_servers": ("https://a.org",)}, "verify_token"),
        ({"mcp_token": TOKEN, "control_token": TOKEN}, "agents would have control"),
        ({"verify_token": "a-secret-of-length"}, "function"),
        ({"verify_token": later, "required_scopes": ("read write",)}, "one an entry"),
        ({"verify_token": later, "required_scopes": ('"',)}, "one an entry"),
        ({"verify_token": later, "authorization_servers": ("login.org",)}, "URL"),
    ],
)
def test_settings_that_would_protect_nothing_are_refused(settings: Any, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        guard(**settings)


@given(st.binary(max_size=30))
def test_a_bearer_token_is_what_stands_after_the_scheme(token: bytes) -> None:
    found = bearer_token({b"authorization": b"Bearer " + token})
    assert found == token.strip(b" \t")
    assert bearer_token({b"authorization": b"Digest " + token}) == b""
    assert bearer_token({}) == b""
