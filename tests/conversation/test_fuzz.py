"""No message, however strange, does worse than be refused; and the engine serves on."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openenv_lite.conversation.service import Inbound
from openenv_lite.conversation.stream import Answer, Stream
from openenv_lite.mcp.methods import METHODS
from openenv_lite.mcp.revisions import REVISIONS
from tests.conversation.clients import META, Legacy, Linked, Modern, accepted, house
from tests.conversation.world import Inline, World
from tests.leaks import on_loop, until
from tests.test_codec import BROKEN, JSON

NAMES = st.sampled_from(["add", "hello", "note://total", "reset", "openenv_close_session"]) | JSON
METAS = st.fixed_dictionaries(
    {},
    optional={
        f"{META}protocolVersion": st.sampled_from(list(REVISIONS)) | JSON,
        f"{META}clientCapabilities": st.just({}) | JSON,
        f"{META}logLevel": st.just("info") | JSON,
        "progressToken": st.integers() | JSON,
    },
)
PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "name": NAMES,
        "uri": NAMES,
        "arguments": st.fixed_dictionaries({}, optional={"amount": st.integers() | JSON}) | JSON,
        "cursor": JSON,
        "level": JSON,
        "requestId": JSON,
        "inputResponses": JSON,
        "requestState": JSON,
        "protocolVersion": st.sampled_from(list(REVISIONS)) | JSON,
        "_meta": METAS | JSON,
    },
)
SAID = sorted({*METHODS, "notifications/cancelled", "notifications/initialized", "nowhere"})
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | JSON,
        "id": st.integers() | st.text(max_size=3) | JSON,
        "method": st.sampled_from([each for each in SAID if each != "subscriptions/listen"]) | JSON,
        "params": PARAMS | JSON,
        "result": JSON,
        "error": JSON,
    },
)
BODIES = (
    st.binary(max_size=50)
    | st.sampled_from(BROKEN)
    | (MESSAGES | JSON | st.lists(MESSAGES, max_size=3)).map(lambda each: json.dumps(each).encode())
)
VERSIONS = st.sampled_from([b"", *(name.encode() for name in REVISIONS), b"v999", b"\xff"])


@given(BODIES, VERSIONS, st.booleans(), st.sampled_from([b"", b"tools/call", b"\xff"]))
@example(b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}', b"v999", True, b"")
def test_over_http(body: bytes, version: bytes, with_session: bool, method: bytes) -> None:
    asyncio.run(_over_http(body, version, with_session, method))


async def _over_http(body: bytes, version: bytes, with_session: bool, method: bytes) -> None:
    async with house(World) as home:
        legacy = await Legacy(home).begin()
        headers = {}
        if version:
            headers[b"mcp-protocol-version"] = version
        if with_session:
            headers[b"mcp-session-id"] = legacy.session.encode()
        if method:
            headers[b"mcp-method"] = method
        modern = Modern(home)
        taken = home.service.receive(Inbound(body, headers))
        if isinstance(taken, Stream):
            await asyncio.wait_for(modern.listen(taken), 5)
            taken = taken.answer or Answer(None)
        assert taken.status in (200, 202, 400, 404)
        assert (taken.body is None) is (taken.status == 202)
        if taken.body is not None:
            replies = json.loads(taken.body)
            for reply in replies if isinstance(replies, list) else [replies]:
                assert ("result" in reply) is not ("error" in reply)
        assert "result" in await legacy.request("ping")
        assert "result" in await modern.request("tools/list")


@given(st.lists(BODIES, min_size=1, max_size=4))
def test_over_a_link(bodies: list[bytes]) -> None:
    asyncio.run(_over_a_link(bodies))


async def _over_a_link(bodies: list[bytes]) -> None:
    async with house(World) as home:
        client = Linked(home)
        client.is_modern = True
        await client.begin()
        for body in bodies:
            waits = client.link.receive(body)
            if waits is not None:
                await asyncio.wait_for(waits, 5)
        identity = "a last one, whose id nobody has used"
        client.send("tools/list", {}, identity)
        assert "result" in await client.finish(identity)
        await client.end()


@pytest.mark.parametrize(
    "result",
    [b"1e999", b'"\xff"', b"[" * 100_000 + b"]" * 100_000, b"1" * 5000],
    ids=lambda b: b[:5],
)
@on_loop
async def test_an_answer_that_cannot_be_read_ends_its_call_alone(result: bytes) -> None:
    async with house(World) as home:
        client = await Legacy(home).begin()
        client.answer = lambda asked: None
        call = asyncio.create_task(client.tool("greet"))
        await until(lambda: client.heard)
        identity = client.heard[0]["id"].encode()
        body = b'{"jsonrpc":"2.0","id":"' + identity + b'","result":' + result + b"}"
        taken = client.post(body, mcp_session_id=client.session)
        assert isinstance(taken, Answer)
        assert taken.status in (202, 400)
        if taken.status == 400:
            client.settle(client.heard[0]["id"], {"result": {"action": "cancel"}})
        told: Any = await asyncio.wait_for(call, 5)
        assert "content" in told


ABSENT = object()


def mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """The usual value, or in one case of many something else."""
    return st.sampled_from([*[usual] * 12, *others])


def made_of(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object without the fields that are absent."""
    return st.fixed_dictionaries(fields).map(
        lambda each: {name: value for name, value in each.items() if value is not ABSENT}
    )


METAS_OF_CALLS = made_of(
    **{
        f"{META}protocolVersion": mostly("2026-07-28", "v999", None, ABSENT),
        f"{META}clientCapabilities": mostly({"elicitation": {}}, {}, 5, ABSENT),
        f"{META}logLevel": mostly(ABSENT, "info", "loud"),
        "progressToken": mostly(ABSENT, 1, True),
    }
)
CALLS = made_of(
    jsonrpc=mostly("2.0", "1.0", ABSENT),
    id=mostly(0, "a", None, 1.5, ABSENT),
    method=mostly("tools/call", "tools/list", ABSENT),
    params=made_of(
        name=mostly("add", "greet", "nowhere", 5, ABSENT),
        arguments=mostly({"amount": 0}, {"amount": "x"}, {}, [], None, ABSENT),
        _meta=METAS_OF_CALLS,
        requestState=mostly(ABSENT, "x", None),
        inputResponses=mostly(ABSENT, {"1": accepted("Bo")}, None, 5),
        more=mostly(ABSENT, 1),
    ),
    result=mostly(ABSENT, 1),
    more=mostly(ABSENT, 1),
)


def given_with(version: bytes, session: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Headers as a client of one era sends them."""
    strange = [b"2025-03-26", b" " + version, b"v999", b"\xff", ABSENT]
    return made_of(
        **{
            "mcp-protocol-version": mostly(version, *strange),
            "mcp-method": mostly(b"tools/call", b" tools/call\t", b"tools/list", b"", ABSENT),
            "mcp-name": mostly(b"add", b"greet", b" add ", b"=?base64?YWRk?=", ABSENT),
            "mcp-session-id": mostly(session, b"the one", b"unknown", b"\xff", ABSENT),
        }
    )


GIVEN = (given_with(b"2026-07-28", ABSENT) | given_with(b"2025-11-25", b"the one")).map(
    lambda headers: {name.encode(): value for name, value in headers.items()}
)


@settings(max_examples=300)
@given(CALLS, GIVEN, mostly(None, "nowhere"), mostly("", " ", "\n"))
def test_the_short_way_of_a_tool_call_answers_as_the_long_way(
    message: Any, headers: dict[bytes, bytes], session_id: str | None, blank: str
) -> None:
    body = (blank + json.dumps(message)).encode()
    asyncio.run(_both_ways(Inbound(body, headers, None, session_id)))


async def _both_ways(inbound: Inbound) -> None:
    async with house(Inline) as home:
        ways = [home.service, home.another()]
        ways[1]._plain_call = lambda inbound: None  # type: ignore[method-assign]
        told = []
        for service in ways:
            client = Legacy(home)
            client.service = service
            await client.begin()
            headers = dict(inbound.headers)
            if headers.get(b"mcp-session-id") == b"the one":
                headers[b"mcp-session-id"] = client.session.encode()
            taken = service.receive(Inbound(inbound.body, headers, None, inbound.session_id))
            if isinstance(taken, Stream):
                await asyncio.wait_for(client.listen(taken), 5)
                taken = taken.answer or Answer(None)
            said = [{**each, "id": "*"} if "method" in each else each for each in client.heard]
            told.append((taken.status, taken.body, said))
        assert told[0] == told[1]
        await ways[1].close()
