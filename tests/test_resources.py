import re
import time
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite import MCPEnvironment, ServerMode
from openenv_lite.content import EmbeddedResource
from openenv_lite.context import Context
from openenv_lite.errors import (
    ConfigurationError,
    ExecutionError,
    InvalidArgumentsError,
    UnknownPromptError,
    UnknownResourceError,
)
from openenv_lite.resources import LONGEST_URI, Resource, ResourceRegistry
from tests.leaks import on_loop


def read(**variables: Any) -> dict[str, Any]:
    """Reads something."""
    return variables


class Library(MCPEnvironment):
    """Resources of every kind."""

    def __init__(self) -> None:
        @self.resource("test://text", mime_type="text/markdown", title="Text", size=2)
        def text() -> str:
            """Some text."""
            return "# T"

        @self.resource("test://plain")
        async def plain() -> str:
            return "T"

        @self.resource("test://bytes")
        def data() -> bytes:
            return b"\x00\xff"

        @self.resource("test://json/{number}", complete={"number": ["10", "12", "2"]})
        def value(number: int, context: Context) -> dict[str, int]:
            """A number."""
            context.progress(1)
            return {"number": number}

        @self.resource("test://many")
        def many() -> list[EmbeddedResource]:
            return [
                EmbeddedResource(uri="test://a", text="a", mime_type="text/x"),
                EmbeddedResource(uri="test://b", blob=b"b"),
            ]

        @self.resource("test://none")
        def none() -> list[int]:
            return []

        @self.resource("test://book/{name}", complete={"name": self.suggest})
        def book(name: str) -> str:
            if name == "lost":
                raise UnknownResourceError("No such book", uri=name)
            raise OSError("secret-1234")

    async def suggest(self, text: str, given: dict[str, str]) -> list[str]:
        return [f"{text}-{each}" for each in given]


@pytest.mark.parametrize(
    ("uri", "contents"),
    [
        ("test://text", {"mimeType": "text/markdown", "text": "# T"}),
        ("test://plain", {"mimeType": "text/plain", "text": "T"}),
        ("test://bytes", {"mimeType": "application/octet-stream", "blob": "AP8="}),
        ("test://json/5", {"mimeType": "application/json", "text": '{"number":5}'}),
        ("test://none", {"mimeType": "application/json", "text": "[]"}),
    ],
)
@on_loop
async def test_contents_are_text_or_bytes_of_a_type(uri: str, contents: dict[str, Any]) -> None:
    assert await Library().read_resource(uri) == [{"uri": uri, **contents}]


@on_loop
async def test_a_function_may_decide_all_of_its_contents() -> None:
    assert await Library().read_resource("test://many") == [
        {"uri": "test://a", "mimeType": "text/x", "text": "a"},
        {"uri": "test://b", "blob": "Yg=="},
    ]


@on_loop
async def test_what_cannot_be_read_is_a_typed_error() -> None:
    library = Library()
    for uri in ("test://nowhere", "test://json/{number}", "test://json/", "test://json/1/2"):
        with pytest.raises(UnknownResourceError) as caught:
            await library.read_resource(uri)
        assert caught.value.details == {"uri": uri}
    with pytest.raises(UnknownResourceError, match="No such book"):
        await library.read_resource("test://book/lost")
    with pytest.raises(InvalidArgumentsError, match="number"):
        await library.read_resource("test://json/five")


@pytest.mark.parametrize("mode", ServerMode)
@on_loop
async def test_what_a_function_raises_stays_out_of_production(mode: ServerMode) -> None:
    library = Library()
    library.server_mode = mode
    with pytest.raises(ExecutionError) as caught:
        await library.read_resource("test://book/other")
    assert ("secret" in caught.value.message) is (mode is ServerMode.SIMULATION)


def test_declarations_are_mcps_in_the_order_of_adding() -> None:
    library = Library()
    first, second = library.resources.resources()[:2]
    assert first == {
        "uri": "test://text",
        "name": "text",
        "title": "Text",
        "description": "Some text.",
        "mimeType": "text/markdown",
        "size": 2,
    }
    assert second == {"uri": "test://plain", "name": "plain"}
    assert library.resources.templates()[0] == {
        "uriTemplate": "test://json/{number}",
        "name": "value",
        "description": "A number.",
    }


VALUES = st.text(min_size=1, max_size=30)


@given(VALUES, VALUES)
def test_a_template_gives_back_what_was_put_into_its_uri(one: str, rest: str) -> None:
    resource = Resource("test://a/{one}/b/{rest*}.txt", read)
    uri = f"test://a/{quote(one, safe='')}/b/{quote(rest, safe='/')}.txt"
    climbs = ".." in re.split(r"[/\\]", rest) or rest[0] in "/\\" or "\0" in one + rest
    if climbs or one == ".." or re.search(r"[/\\]", one):
        assert resource.match(uri) is None
    else:
        assert resource.match(uri) == {"one": one, "rest": rest}


@given(st.text())
def test_any_uri_matches_or_does_not(uri: str) -> None:
    for template in ("{a}", "x{+a}y", "test://{a}/{b*}"):
        found = Resource(template, read).match(uri)
        for value in (found or {}).values():
            assert ".." not in re.split(r"[/\\]", value)


@pytest.mark.parametrize(
    "uri",
    [
        "test://../x",
        "test://a/../x",
        "test://a/%2e%2e/x",
        "test://a/%2E./x",
        "test://a/..%5Cx",
        "test://%2Fetc/passwd",
        "test:///etc/passwd",
        "test://a%00",
        "test://a%ff",
        "test://" + "a" * LONGEST_URI,
    ],
)
def test_a_path_that_climbs_is_unknown(uri: str) -> None:
    resources = ResourceRegistry()
    resources("test://{path*}")(read)
    resources("test://{+path}")(read)
    with pytest.raises(UnknownResourceError) as caught:
        resources.find(uri)
    assert len(caught.value.message) < 2 * LONGEST_URI


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        ("test://{?query}", "for all the rest"),
        ("test://{a,b}", "for all the rest"),
        ("test://{}", "for all the rest"),
        ("test://{a}/{a*}", "twice"),
        ("test://{other}", "must be the arguments of 'one', which are: a"),
        ("test://", "must be the arguments"),
        ("test://{a}/{b}", "must be the arguments"),
    ],
)
def test_a_template_that_does_not_fit_its_function_is_refused(uri: str, complaint: str) -> None:
    def one(a: str) -> str:
        return a

    with pytest.raises(ConfigurationError, match=re.escape(complaint)):
        Resource(uri, one)


def test_an_exact_uri_goes_before_templates_and_the_first_template_before_others() -> None:
    resources = ResourceRegistry()
    resources("test://{a}", name="any")(read)
    resources("test://{b}", name="later")(read)
    resources("test://exact", name="exact")(read)
    assert resources.find("test://exact")[0].name == "exact"
    found, variables = resources.find("test://x%20y")
    assert (found.name, variables) == ("any", {"a": "x y"})


def test_changes_are_counted_and_told_and_so_are_updates() -> None:
    resources, told = ResourceRegistry(), list[Any]()
    resources.changed("test://a")
    resources.on_change = lambda: told.append(resources.version)
    resources.on_update = told.append
    resources("test://a")(read)
    resources.changed("test://a")
    resources.remove("test://a")
    assert told == [1, "test://a", 2]
    with pytest.raises(UnknownResourceError):
        resources.remove("test://a")
    assert resources.version == 2


@on_loop
async def test_a_variable_is_completed_from_a_list_or_by_a_function() -> None:
    library = Library()
    assert await library.complete("resource", "test://json/{number}", "number", "1", {}) == [
        "10",
        "12",
    ]
    found = await library.complete("resource", "test://book/{name}", "name", "x", {"a": "1"})
    assert found == ["x-a"]
    assert await library.complete("resource", "test://text", "name", "x", {}) == []
    with pytest.raises(UnknownResourceError):
        await library.complete("resource", "test://nowhere/{x}", "x", "", {})
    with pytest.raises(UnknownPromptError):
        await library.complete("prompt", "nowhere", "x", "", {})


def test_completing_what_is_no_variable_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no argument 'b'"):
        ResourceRegistry()("test://x/{a}", complete={"b": ["x"]})(lambda a: a)


def test_a_uri_that_almost_fits_is_refused_at_once() -> None:
    made = Resource("log://{y}-{m}-{d}-{h}/lines", lambda y, m, d, h: y, name="log")
    began = time.perf_counter()
    assert made.match("log://" + "-" * (LONGEST_URI - 10)) is None
    assert time.perf_counter() - began < 1.0  # by trying every division it would take hours
    assert made.match("log://1-2-3-4/lines") == {"y": "1", "m": "2", "d": "3", "h": "4"}
