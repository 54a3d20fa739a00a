import base64
import dataclasses
from pathlib import Path
from typing import Any

import mcp_types
import pytest
from fastmcp.utilities.types import Image as ForeignImage
from hypothesis import given

from openenv_lite import Audio, Image, codec
from openenv_lite.content import (
    EmbeddedResource,
    Message,
    Outcome,
    ResourceLink,
    ToolResult,
    blocks_of,
    messages_of,
    openenv_result,
    outcome_of,
)
from tests.test_codec import JSON


@dataclasses.dataclass
class Pair:
    left: int
    right: list[int]


@given(JSON)
def test_any_plain_value_comes_back_as_data(value: Any) -> None:
    result = codec.parse(codec.encode(openenv_result(outcome_of(value))))
    assert result["data"] == codec.parse(codec.encode(value))
    assert result["is_error"] is False
    assert (result["content"] == []) is (value is None)


@pytest.mark.parametrize(
    ("value", "text", "structured"),
    [
        ("hello", "hello", {"result": "hello"}),
        (3, "3", {"result": 3}),
        ([1, 2], "[1,2]", {"result": [1, 2]}),
        ({"a": 1}, '{"a":1}', {"a": 1}),
        (Pair(1, [2]), '{"left":1,"right":[2]}', {"left": 1, "right": [2]}),
    ],
)
def test_a_plain_value_is_one_text_block(value: Any, text: str, structured: Any) -> None:
    result = openenv_result(outcome_of(value))
    assert [block["text"] for block in result["content"]] == [text]
    assert result["structured_content"] == structured


@pytest.mark.parametrize(
    ("value", "kind", "mime_type"),
    [
        (Image(data=b"x"), "image", "image/png"),
        (Image(data=b"x", format="jpeg"), "image", "image/jpeg"),
        (Audio(data=b"x"), "audio", "audio/wav"),
        (ForeignImage(data=b"x", format="png"), "image", "image/png"),
    ],
)
def test_a_medium_is_a_block_the_model_sees(value: Any, kind: str, mime_type: str) -> None:
    result = openenv_result(outcome_of(value))
    (block,) = result["content"]
    assert (block["type"], block["mimeType"]) == (kind, mime_type)
    assert base64.b64decode(block["data"]) == b"x"
    assert (result["data"], result["structured_content"]) == (None, None)


def test_media_and_text_keep_their_order() -> None:
    blocks = blocks_of(["before", Image(data=b"x"), {"after": 1}])
    assert [block["type"] for block in blocks] == ["text", "image", "text"]
    assert blocks[2]["text"] == '{"after":1}'


def test_a_file_is_read_and_its_suffix_tells_the_format(tmp_path: Path) -> None:
    place = tmp_path / "tone.ogg"
    place.write_bytes(b"ogg")
    (block,) = blocks_of(Audio(path=place))
    assert block["mimeType"] == "audio/ogg"


def test_a_medium_without_bytes_says_what_is_missing() -> None:
    with pytest.raises(ValueError, match="Image needs `data=` or `path=`"):
        blocks_of(Image())


LINK = ResourceLink(uri="test://a", name="a", mime_type="text/plain", size=3)
TEXT = EmbeddedResource(uri="test://t", text="hi", annotations={"priority": 1})
BLOB = EmbeddedResource(uri="test://b", blob=b"hi", mime_type="image/png")


@pytest.mark.parametrize(
    ("value", "block"),
    [
        ("x", {"type": "text", "text": "x"}),
        (
            Image(data=b"x", annotations={"audience": ["user"]}),
            {
                "type": "image",
                "data": "eA==",
                "mimeType": "image/png",
                "annotations": {"audience": ["user"]},
            },
        ),
        (
            LINK,
            {
                "type": "resource_link",
                "uri": "test://a",
                "name": "a",
                "mimeType": "text/plain",
                "size": 3,
            },
        ),
        (
            TEXT,
            {
                "type": "resource",
                "resource": {"uri": "test://t", "text": "hi"},
                "annotations": {"priority": 1},
            },
        ),
        (
            BLOB,
            {
                "type": "resource",
                "resource": {"uri": "test://b", "mimeType": "image/png", "blob": "aGk="},
            },
        ),
        (mcp_types.TextContent(text="x"), {"type": "text", "text": "x"}),
        (
            mcp_types.ImageContent(data="eA==", mime_type="image/png"),
            {"type": "image", "data": "eA==", "mimeType": "image/png"},
        ),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_block_is_mcps_without_nulls(value: Any, block: dict[str, Any]) -> None:
    assert blocks_of(value) == [block]
    assert outcome_of([value, "after"] if block["type"] != "text" else value).content[0] == block


def test_in_openenvs_form_a_block_says_what_it_lacks() -> None:
    block = {"type": "text", "text": "x"}
    shown = openenv_result(Outcome([block, {**block, "_meta": {"a": 1}}]))["content"]
    assert shown[0] == {**block, "annotations": None, "meta": None}
    assert shown[1] == {**block, "annotations": None, "meta": {"a": 1}}
    assert list(shown[0]) == ["type", "text", "annotations", "meta"]


@pytest.mark.parametrize("given", [{}, {"text": "a", "blob": b"b"}], ids=str)
def test_a_resource_is_either_text_or_bytes(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="either"):
        EmbeddedResource(uri="test://a", **given)


BLOCK = {"type": "image", "data": "eA==", "mimeType": "image/png", "_meta": {"a": 1}}


@pytest.mark.parametrize(
    ("result", "texts", "structured", "data"),
    [
        (ToolResult("x"), ["x"], None, "x"),
        (ToolResult(["a", 1, {"b": 2}]), ["a", "1", '{"b":2}'], None, 'a\n1\n{"b":2}'),
        (ToolResult([BLOCK]), [None], None, None),
        (ToolResult([{"type": "text", "text": "t"}, BLOCK]), ["t", None], None, None),
        (ToolResult("x", {"result": [1]}), ["x"], {"result": [1]}, [1]),
        (ToolResult("x", {"a": 1, "result": 2}), ["x"], {"a": 1, "result": 2}, None),
        (ToolResult([], structured_content=[0]), [], [0], [0]),
        (ToolResult("0", structured_content=0), ["0"], 0, 0),
        (ToolResult(), [], None, None),
        (ToolResult(Image(data=b"x"), {"a": 1}), [None], {"a": 1}, None),
    ],
    ids=repr,
)
def test_a_tool_may_decide_all_of_its_reply(
    result: ToolResult, texts: Any, structured: Any, data: Any
) -> None:
    outcome = outcome_of(result)
    assert [block.get("text") for block in outcome.content] == texts
    assert outcome.structured == structured
    assert outcome.data == (structured if data is None else data)


def test_a_ready_block_error_and_meta_go_out_as_they_are() -> None:
    outcome = outcome_of(ToolResult([BLOCK], is_error=True, meta={"m": 1}))
    assert outcome.content[0] is BLOCK
    shown = openenv_result(outcome)
    assert (shown["is_error"], shown["meta"]) == (True, {"m": 1})


def test_the_message_of_nobody_is_the_users_and_a_message_is_one_block() -> None:
    assert messages_of(["a", Message("assistant", ["b", "c", Image(data=b"x")])]) == [
        {"role": "user", "content": {"type": "text", "text": "a"}},
        {"role": "assistant", "content": {"type": "text", "text": "b"}},
        {"role": "assistant", "content": {"type": "text", "text": "c"}},
        {"role": "assistant", "content": blocks_of(Image(data=b"x"))[0]},
    ]


@given(JSON)
def test_what_is_structured_is_an_object_or_nothing(value: Any) -> None:
    outcome = outcome_of(value)
    assert isinstance(outcome.structured, dict) is (value is not None)
    assert all("annotations" not in block for block in outcome.content)
