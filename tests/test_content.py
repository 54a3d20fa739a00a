import base64
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from fastmcp.utilities.types import Image as ForeignImage
from hypothesis import given

from openenv_lite import Audio, Image, codec
from openenv_lite.content import blocks_of, call_result
from tests.test_codec import JSON


@dataclasses.dataclass
class Pair:
    left: int
    right: list[int]


@given(JSON)
def test_any_plain_value_comes_back_as_data(value: Any) -> None:
    result = codec.parse(codec.encode(call_result(value)))
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
    result = call_result(value)
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
    ids=repr,
)
def test_a_medium_is_a_block_the_model_sees(value: Any, kind: str, mime_type: str) -> None:
    result = call_result(value)
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
