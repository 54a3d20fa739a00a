from typing import Annotated, Any, Literal, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite.environment import Environment
from openenv_lite.errors import InvalidArgumentsError
from openenv_lite.signature import Signature, call_signature, is_async, return_type
from tests.test_codec import JSON


def takes(a: int, b: str = "x", *, c: list[int] | None = None) -> str:
    """Do it.

    Args:
        a: How many.
        b (str): Of what: exactly.

    Returns:
        Nothing of interest.
    """
    return f"{a}{b}{c}"


def takes_all(a: int, **rest: Any) -> dict[str, Any]:
    return {"a": a, **rest}


NAMES = st.sampled_from(["a", "b", "c", "self", "function", "operation", "d"]) | st.text()


@given(st.dictionaries(NAMES, JSON))
def test_whatever_binds_can_be_called_and_the_rest_is_typed(arguments: dict[str, Any]) -> None:
    for function in (takes, takes_all):
        try:
            bound = Signature(function).bind(arguments)
        except InvalidArgumentsError as error:
            assert error.message
        else:
            function(**bound)


@given(st.dictionaries(NAMES, JSON))
def test_options_nobody_takes_are_dropped(arguments: dict[str, Any]) -> None:
    arguments["a"] = 1
    try:
        bound = Signature(takes).bind_known(arguments)
    except InvalidArgumentsError:
        return
    assert bound.keys() == arguments.keys() & {"a", "b", "c"}


def test_a_description_goes_on_in_deeper_lines() -> None:
    def wordy(a: int, b: int) -> None:
        """Do it.

        Args:
            a: How many,
                if any: at
                least one.
            b: And more.
        """

    fields = Signature(wordy).json_schema()["properties"]
    assert fields["a"]["description"] == "How many, if any: at least one."
    assert fields["b"]["description"] == "And more."


def test_defaults_stay_the_callables_own() -> None:
    assert Signature(takes).bind({"a": "5"}) == {"a": 5}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "a"),
        ({"a": "x"}, "a"),
        ({"a": 1, "z": 2}, "Unexpected argument 'z'; takes: a, b, c"),
        ({"a": 1, "c": [1, "x"]}, "c.1"),
    ],
)
def test_a_refusal_names_the_argument(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidArgumentsError, match=text) as caught:
        Signature(takes).bind(arguments)
    assert caught.value.details["errors"]


class Filling:
    """Stands for what the caller fills in."""


def wants(a: int, filling: Filling, other: Filling | None = None) -> None:
    """Takes two things that are no arguments."""


def wants_all(
    given: Annotated[Filling, "prose"],
    perhaps: Optional[Filling] = None,  # noqa: UP045  the old way of saying it
    **rest: Any,
) -> None:
    """Takes two things that are no arguments, and whatever else."""


def test_parameters_of_a_type_that_the_caller_fills_in_are_no_arguments() -> None:
    read = Signature(wants, filled=Filling)
    assert read.filled == ("filling", "other")
    assert (read.names, set(read.required)) == (["a"], {"a"})
    assert read.json_schema()["properties"].keys() == {"a"}
    with pytest.raises(InvalidArgumentsError, match="takes: a"):
        read.bind({"a": 1, "filling": {}})
    everything = Signature(wants_all, filled=Filling)
    assert everything.filled == ("given", "perhaps")
    assert everything.bind({"given": 1, "perhaps": 2, "other": 3}) == {"other": 3}


def test_a_container_of_the_type_is_an_argument() -> None:
    def takes_many(each: list[int], filling: "Filling", lost: "Nowhere") -> None:  # type: ignore[name-defined]  # noqa: F821
        """One annotation cannot be resolved, and takes no other with it."""

    read = Signature(takes_many, filled=Filling)
    assert read.filled == ("filling",)
    assert read.names == ["each", "lost"]
    assert Signature(takes_many, filled=list).names == ["each", "filling", "lost"]


class Caller:
    """An object that can be called; its fields are no parameters."""

    b: Filling

    def __call__(self, a: int, filling: Filling) -> int:
        return a


def test_an_object_is_read_by_what_its_call_takes() -> None:
    read = Signature(Caller(), filled=Filling)
    assert (read.filled, read.names) == (("filling",), ["a"])
    assert read.json_schema()["properties"] == {"a": {"type": "integer"}}
    assert return_type(Caller()) is int


def exact(a: str, b: int, c: bool = True, d: float = 0.5) -> tuple[Any, ...]:
    return a, b, c, d


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c", "d", "e"]),
        st.one_of(st.text(), st.integers(), st.booleans(), st.floats(), st.none()),
    )
)
def test_the_shortest_way_of_binding_gives_what_the_long_one_gives(given: dict[str, Any]) -> None:
    read = Signature(exact)
    try:
        bound = read.bind(given)
    except InvalidArgumentsError:
        assert not read.required <= given.keys() <= set(read.names) or any(
            type(given.get(name, kind())) is not kind for name, kind in EXACT.items()
        )
        return
    assert repr(bound) == repr(read.bind_known(given))
    assert bound is not given


EXACT: dict[str, type] = {"a": str, "b": int, "c": bool, "d": float}


def test_arguments_the_caller_passes_itself_cannot_be_sent() -> None:
    def step(self: Any, action: Any, **options: Any) -> None:
        """An author's."""

    bound = Signature(step, 2).bind_known({"self": 1, "action": 2, "other": 3})
    assert bound == {"other": 3}


def test_the_schema_has_types_defaults_and_texts() -> None:
    schema = Signature(takes).json_schema()
    assert schema["required"] == ["a"]
    assert schema["properties"]["a"] == {"type": "integer", "description": "How many."}
    assert schema["properties"]["b"]["default"] == "x"
    assert schema["properties"]["b"]["description"] == "Of what: exactly."
    assert schema["additionalProperties"] is False


def test_the_schema_of_a_callable_that_takes_anything_is_open() -> None:
    assert Signature(takes_all).json_schema()["additionalProperties"] is True


def test_annotations_that_cannot_be_resolved_take_anything() -> None:
    def lost(a: "Nowhere") -> None:  # type: ignore[name-defined]  # noqa: F821
        """Unknown."""

    assert Signature(lost).bind({"a": [1]}) == {"a": [1]}


def test_prose_as_an_annotation_takes_anything() -> None:
    def prose(a) -> None:  # type: ignore[no-untyped-def]
        """Annotated below, as some authors do."""

    prose.__annotations__["a"] = "a number between 1 and 5"
    assert Signature(prose).bind({"a": 1}) == {"a": 1}


def test_positional_only_parameters_are_refused_when_declared() -> None:
    def odd(a: int, /) -> None:
        """Cannot be called by keyword."""

    with pytest.raises(ValueError, match="a"):
        Signature(odd)


def test_a_choice_is_an_enumeration() -> None:
    def choose(way: Literal["up", "down"]) -> None:
        """Go."""

    assert set(Signature(choose).json_schema()["properties"]["way"]["enum"]) == {"up", "down"}


def test_async_is_seen_through_decorators_that_keep_what_they_wrap() -> None:
    async def wait() -> int:
        return 1

    def wrapper() -> None:
        """Around it."""

    wrapper.__wrapped__ = wait  # type: ignore[attr-defined]
    assert is_async(wrapper)
    assert not is_async(takes)
    assert return_type(takes) is str


class Sized(Environment[Any, Any, Any]):
    def __init__(self, size: int, *, seed: int = 0) -> None: ...


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (takes_all, "(a: int, **rest: Any) -> dict[str, typing.Any]"),
        (Sized, "(size: int, *, seed: int = 0)"),
        (Environment, "()"),
        (dict, "(*args, **kwargs)"),
    ],
)
def test_a_call_takes_what_the_function_or_the_constructor_takes(function: Any, told: str) -> None:
    assert str(call_signature(function)) == told
