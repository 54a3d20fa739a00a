"""NumPy arrays over msgpack: what goes comes back, and what is none of ours is a typed error."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from openenv_lite import Action, ServerMode, arrays
from openenv_lite.batches import JSON, MSGPACK, RequestDecoder, Step
from openenv_lite.errors import InvalidMessageError, OpenEnvError


class Push(Action):
    """An action that takes whatever comes."""

    force: Any = None


DECODER = RequestDecoder(Push, MSGPACK, ServerMode.SIMULATION)
READ = MSGPACK.decoder(Any)

NUMBERS = st.one_of(
    npst.boolean_dtypes(),
    npst.integer_dtypes(endianness="="),
    npst.integer_dtypes(endianness=">"),
    npst.unsigned_integer_dtypes(endianness="<"),
    npst.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    npst.complex_number_dtypes(endianness="?", sizes=(64, 128)),
)
ARRAYS = npst.arrays(NUMBERS, npst.array_shapes(min_dims=1, min_side=0, max_side=4))


def same(left: Any, right: Any) -> bool:
    alike: bool = left.dtype.str == right.dtype.str and left.shape == right.shape
    return alike and left.tobytes() == right.tobytes()


@given(ARRAYS)
def test_an_array_comes_back_as_it_went(array: Any) -> None:
    back = READ(MSGPACK.encode({"inside": [array]}))["inside"][0]
    assert same(back, array)
    assert not back.flags.writeable


@given(ARRAYS.filter(lambda array: array.dtype.kind != "c"))
def test_json_has_the_same_numbers_as_lists(array: Any) -> None:
    listed = JSON.decoder(Any)(JSON.encode(array))
    expected = msgspec.json.decode(msgspec.json.encode(array.tolist()))  # NaN is null there
    assert listed == expected


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12).reshape(3, 4).T,
        np.arange(12)[::-3],
        np.broadcast_to(np.float32(7), (2, 3)),
        np.asfortranarray(np.ones((2, 3), "f8")),
        np.zeros((0, 3), "i2"),
        np.arange(3, dtype=">i8"),
        np.array([[True]]),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_however_it_lies_in_memory(array: Any) -> None:
    assert same(READ(MSGPACK.encode(array)), np.ascontiguousarray(array))


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float32(0.5), 0.5),
        (np.array(7), 7),
        (np.bool_(True), True),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array([1, "x", None], dtype=object), [1, "x", None]),
    ],
)
def test_what_is_no_array_of_numbers_travels_as_plain_values(value: Any, plain: Any) -> None:
    assert arrays.packed(value) is None
    assert READ(MSGPACK.encode(value)) == plain


def framed(extension: int, data: bytes) -> bytes:
    action = {"force": msgspec.msgpack.Ext(extension, data)}
    return msgspec.msgpack.encode({"type": "step", "id": 3, "actions": [action]})


def parts(*values: Any) -> bytes:
    return msgspec.msgpack.encode(values)


HOSTILE = [
    b"",
    b"\xc1",
    parts(),
    parts("<f4", [1]),
    parts("<f4", [2], b"abcd"),
    parts("<f4", [1], b"abc"),
    parts("<f4", [-1], b"abcd"),
    parts("<f4", [-1, -1], b"abcd"),
    parts("<f4", [2**62, 2**62], b""),
    parts("<f4", [0, 2**62, 2**62], b""),
    parts("<f4", [2**64 - 1], b""),
    parts("<f4", [1] * 100, b"abcd"),
    parts("|O", [1], b"x" * 8),
    parts("<V4", [1], b"x" * 4),
    parts("<M8", [1], b"x" * 8),
    parts("<f3", [1], b"abc"),
    parts("<i0", [1], b""),
    parts("<c99", [1], b"x" * 99),
    parts("i4,f4", [1], b"x" * 8),
    parts("__import__('os')", [1], b"x" * 8),
    parts("<f4", "1", b"abcd"),
    parts("<f4", [1.5], b"abcd"),
    parts(4, [1], b"abcd"),
    parts("<f4", [1], [1, 2, 3, 4]),
]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_data_is_refused_with_the_id_of_its_request_or_without(data: bytes) -> None:
    with pytest.raises(OpenEnvError) as caught:
        DECODER.decode(framed(1, data))
    assert caught.value.code in ("VALIDATION_ERROR", "INVALID_JSON")


@pytest.mark.parametrize("number", [0, 2, 127, -2])
def test_another_extension_is_refused(number: int) -> None:
    with pytest.raises(OpenEnvError):
        DECODER.decode(framed(number, parts("<f4", [1], b"abcd")))


@given(st.text(max_size=6), st.lists(st.integers(-3, 2**64 - 1), max_size=5), st.binary())
def test_any_typestr_shape_and_bytes_are_an_array_or_refused(
    typestr: str, shape: list[int], data: bytes
) -> None:
    frame = framed(1, parts(typestr, shape, data))
    try:
        request = DECODER.decode(frame)
    except OpenEnvError:
        return
    assert isinstance(request, Step)
    assert request.actions[0].force.nbytes == len(data)


@given(st.from_regex(r"[<>|=][a-zA-Z?]\d{1,3}", fullmatch=True), st.binary(max_size=64))
def test_any_element_type_is_an_array_or_refused(typestr: str, data: bytes) -> None:
    try:
        request = DECODER.decode(framed(1, parts(typestr, [1], data)))
    except OpenEnvError:
        return
    assert request.actions[0].force.dtype.kind in "biufc"


def test_an_array_where_a_number_belongs_concerns_its_lane_alone() -> None:
    class Turn(Action):
        angle: float

    decoder = RequestDecoder(Turn, MSGPACK, ServerMode.SIMULATION)
    actions = [{"angle": 1.0}, {"angle": np.ones(3)}]
    frame = MSGPACK.encode({"type": "step", "id": 3, "actions": actions})
    good, bad = decoder.decode(frame).actions
    assert good.angle == 1.0
    assert isinstance(bad, InvalidMessageError)
