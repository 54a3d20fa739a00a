"""Results in the shape that each revision knows."""

from typing import Any

import msgspec
import pytest

from openenv_lite import ResourceLink
from openenv_lite.content import Outcome, ToolResult, outcome_of
from openenv_lite.mcp import shapes
from openenv_lite.mcp.revisions import REVISIONS, STATELESS

SERVER = msgspec.Raw(b'{"name":"x","version":"1"}')
EVERY = pytest.mark.parametrize("revision", REVISIONS.values(), ids=lambda each: str(each.name))
INFO = {"io.modelcontextprotocol/serverInfo": {"name": "x", "version": "1"}}
TOOL = {
    "name": "a",
    "title": "A",
    "description": "d",
    "inputSchema": {"type": "object"},
    "outputSchema": {"type": "object"},
    "annotations": {"readOnlyHint": True},
    "icons": [{"src": "x"}],
}


def shaped(outcome: Outcome, revision: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(shapes.call_result(outcome, revision, SERVER)))


@EVERY
def test_a_plain_result(revision: Any) -> None:
    found = shaped(outcome_of(5), revision)
    assert found["content"] == [{"type": "text", "text": "5"}]
    assert ("structuredContent" in found) is revision.has_structure
    assert ("isError" in found) is False
    assert found.get("resultType") == ("complete" if revision.is_stateless else None)
    assert found.get("_meta") == (INFO if revision.is_stateless else None)


@EVERY
@pytest.mark.parametrize("structured", [[], {}, 0, False, "", [1], {"a": None}])
def test_no_result_holds_a_null(revision: Any, structured: Any) -> None:
    outcome = Outcome(content=[], structured=structured, data=None)
    found = shaped(outcome, revision)
    assert found["content"] == []
    if revision.has_structure:
        assert found["structuredContent"] == structured
    assert None not in found.values()
    bare = shaped(Outcome(content=[], structured=None, data=None), revision)
    assert "structuredContent" not in bare


@EVERY
def test_an_error_and_the_author_s_own_meta_are_told(revision: Any) -> None:
    outcome = outcome_of(ToolResult("no", is_error=True, meta={"mine": 1}))
    found = shaped(outcome, revision)
    assert found["isError"] is True
    assert found["_meta"] == {"mine": 1, **(INFO if revision.is_stateless else {})}
    assert outcome.meta == {"mine": 1}


@EVERY
def test_a_link_is_text_where_links_are_unknown(revision: Any) -> None:
    found = shaped(outcome_of(ResourceLink(uri="a://b", name="b")), revision)
    (block,) = found["content"]
    if revision.has_structure:
        assert (block["type"], block["uri"]) == ("resource_link", "a://b")
    else:
        assert block == {"type": "text", "text": "a://b"}


@EVERY
def test_a_declaration_holds_what_the_revision_knows(revision: Any) -> None:
    shown = {*shapes.for_revision(TOOL, revision)}
    expected = {"name", "description", "inputSchema"}
    if revision.has_structure:
        expected |= {"title", "outputSchema"}
    if revision.has_icons:
        expected |= {"icons"}
    if revision.name != "2024-11-05":
        expected |= {"annotations"}
    assert shown == expected
    resource = {"uri": "a://b", "name": "b", "annotations": {"priority": 1}}
    assert shapes.for_revision(resource, revision) == resource


@EVERY
@pytest.mark.parametrize("method", shapes.LISTS)
def test_a_list_has_its_key_and_a_cursor_where_there_is_more(method: str, revision: Any) -> None:
    key = method.split("/")[0] if "templates" not in method else "resourceTemplates"
    for cursor in (None, "", "c"):
        page = shapes.listed(method, [TOOL], cursor, revision)
        assert [each["name"] for each in page[key]] == ["a"]
        assert page.keys() == {key, "nextCursor"} if cursor else {key}


@EVERY
def test_capabilities_are_those_of_the_revision(revision: Any) -> None:
    found = shapes.capabilities(revision)
    assert {"tools", "prompts", "resources", "logging"} <= found.keys()
    assert ("completions" in found) is (revision.name != "2024-11-05")
    assert found["resources"] == {"subscribe": True, "listChanged": True}


@pytest.mark.parametrize(
    ("method", "scope"),
    [
        ("server/discover", "public"),
        ("tools/list", "private"),
        ("prompts/list", "private"),
        ("resources/list", "private"),
        ("resources/templates/list", "private"),
        ("resources/read", "private"),
        ("prompts/get", None),
        ("completion/complete", None),
        ("subscriptions/listen", None),
    ],
)
def test_a_result_of_2026_07_28_says_how_long_it_holds(method: str, scope: str | None) -> None:
    found = shapes.stamped(method, {"a": 1, "_meta": {"mine": 2}}, SERVER)
    assert found.pop("cacheScope", None) == scope
    lasts = found.pop("ttlMs", None)
    assert (lasts is None) is (scope is None)
    assert lasts is None or (isinstance(lasts, int) and lasts >= 0)
    decoded = msgspec.json.decode(msgspec.json.encode(found))
    assert decoded == {"a": 1, "resultType": "complete", "_meta": {"mine": 2, **INFO}}


def test_a_result_that_asks_stays_one() -> None:
    assert STATELESS.is_stateless
    found = shapes.stamped("tools/call", {"resultType": "input_required"}, SERVER)
    assert found["resultType"] == "input_required"
    assert "ttlMs" not in found


@pytest.mark.parametrize(("count", "more"), [(0, False), (100, False), (101, True), (250, True)])
def test_a_completion_holds_a_hundred_values(count: int, more: bool) -> None:
    found = shapes.completion([str(number) for number in range(count)])["completion"]
    assert len(found["values"]) == min(count, 100)
    assert (found["total"], found["hasMore"]) == (count, more)
