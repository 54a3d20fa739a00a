"""Hypothesis strategies of the numbers and texts that satisfy a shape."""

import base64
import datetime
import itertools
import math
import re
import string
from collections.abc import Callable, Iterable
from typing import Any

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from openenv_lite.errors import ConfigurationError
from openenv_lite.testing.strategies.shapes import Shape, kind_of

__all__ = ["WORDS", "Drawn", "bounds", "integers", "letters_of", "levels_of", "numbers", "texts"]

Drawn = st.SearchStrategy[Any]

MODERATE = 1000
"""How far a number goes beyond zero, or beyond its one bound, where the schema lets it go on."""

_SPARE_LETTERS = 10
_INT64 = (-(2**63), 2**63 - 1)
_PLAIN = string.ascii_lowercase + string.ascii_uppercase + string.digits + " "
_ANY_LETTERS = st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"))
_PRINTABLE = st.characters(codec="utf-8", categories=("L", "M", "N", "P", "S", "Zs"))

WORDS = st.text(string.ascii_lowercase, min_size=1, max_size=6)


def _times(ending: str) -> Drawn:
    first, last = datetime.datetime(2000, 1, 1), datetime.datetime(2030, 1, 1)
    moments = st.datetimes(first, last).map(lambda each: each.replace(microsecond=0))
    return moments.map(lambda each: each.isoformat() + ending)


_FORMATS: dict[str, Drawn] = {
    "date-time": _times("Z"),
    "date": _times("").map(lambda text: text[:10]),
    "time": _times("Z").map(lambda text: text[11:]),
    "duration": st.integers(0, 10**5).map(lambda seconds: f"PT{seconds}S"),
    "uuid": st.uuids(version=4).map(str),
    "decimal": st.integers(-(10**4), 10**4).map(lambda cents: str(cents / 100)),
    "email": WORDS.map(lambda word: f"{word}@example.org"),
    "hostname": WORDS.map(lambda word: f"{word}.example.org"),
    "uri": WORDS.map(lambda word: f"https://example.org/{word}"),
    "ipv4": st.ip_addresses(v=4).map(str),
    "ipv6": st.ip_addresses(v=6).map(str),
}


def bounds(shape: Shape) -> tuple[float | None, float | None]:
    """The least and the greatest number that the words name, whether exclusive or not."""
    lows = [shape[word] for word in ("minimum", "exclusiveMinimum") if word in shape]
    highs = [shape[word] for word in ("maximum", "exclusiveMaximum") if word in shape]
    return max(lows, default=None), min(highs, default=None)


def _range(shape: Shape) -> tuple[Any, Any]:
    """Least and greatest number to draw."""
    low, high = bounds(shape)
    if low is None:
        low = -MODERATE if high is None else min(-MODERATE, high - MODERATE)
    if high is None:
        high = max(MODERATE, low + MODERATE)
    return low, high


def _whole_range(shape: Shape) -> tuple[int, int]:
    """As `_range`, for integers, exclusive bounds left out."""
    low, high = (math.ceil(_range(shape)[0]), math.floor(_range(shape)[1]))
    low += low == shape.get("exclusiveMinimum")
    high -= high == shape.get("exclusiveMaximum")
    return (low, high) if low > _INT64[1] or high < _INT64[0] else _within_int64(low, high)


def _within_int64(low: int, high: int) -> tuple[int, int]:
    return max(low, _INT64[0]), min(high, _INT64[1])


def integers(shape: Shape) -> Drawn:
    """Integers of 64 bits, most of them near the one that is nearest to zero."""
    low, high = _whole_range(shape)
    step = shape.get("multipleOf", 1)
    if step != 1:
        return _multiples(low, high, step).filter(lambda value: value == int(value)).map(int)
    if low > high:
        return st.nothing()
    near = min(max(0, low), high)
    small = st.integers(max(low, near - 10), min(high, near + 10))
    return small if high - low <= 20 else st.one_of(small, st.integers(low, high))


def _multiples(low: float, high: float, step: float) -> Drawn:
    """Multiples that are still found to be such after rounding, by whichever division."""
    least, most = math.ceil(low / step), math.floor(high / step)
    if least > most:
        return st.nothing()
    near = min(max(0, least), most)
    places = st.integers(max(least, near - MODERATE), min(most, near + MODERATE))
    return places.map(lambda place: place * step).filter(
        lambda value: math.fmod(value, step) == 0 and value / step == int(value / step)
    )


def numbers(shape: Shape) -> Drawn:
    """Floats, as short in binary as the bounds allow, so that narrower types hold them exactly."""
    low, high = map(float, _range(shape))
    open_low = low == shape.get("exclusiveMinimum")
    open_high = high == shape.get("exclusiveMaximum")
    if "multipleOf" in shape:
        return (
            _multiples(low, high, shape["multipleOf"])
            .map(float)
            .filter(
                lambda value: not (open_low and value == low) and not (open_high and value == high)
            )
        )
    options: list[dict[str, Any]] = [{"width": width} for width in (16, 32, 64)]
    for option in [*({**each, "allow_subnormal": False} for each in options), {}]:
        drawn = st.floats(
            low, high, exclude_min=open_low, exclude_max=open_high, allow_nan=False, **option
        )
        try:
            drawn.validate()
        except (
            InvalidArgument,
            OverflowError,
        ):  # the bounds are no numbers of this width, or nothing is between
            continue
        return drawn
    return st.nothing()


def levels_of(shape: Shape) -> list[Any] | None:
    """256 values, the simplest first; None where they are not plain numbers."""
    kind = kind_of(shape)
    if "enum" in shape or kind == "boolean":
        values = shape.get("enum", [False, True])
        return list(itertools.islice(itertools.cycle(values), 256))
    if "multipleOf" in shape or kind not in ("integer", "number"):
        return None
    return _whole_levels(shape) if kind == "integer" else _float_levels(shape)


def _whole_levels(shape: Shape) -> list[int]:
    low, high = _whole_range(shape)
    return [min(max(0, low), high), *(low + (high - low) * n // 254 for n in range(255))]


def _float_levels(shape: Shape) -> list[float]:
    low, high = map(float, _range(shape))
    low = math.nextafter(low, math.inf) if low == shape.get("exclusiveMinimum") else low
    high = math.nextafter(high, -math.inf) if high == shape.get("exclusiveMaximum") else high
    levels = (low * (1 - n / 254) + high * (n / 254) for n in range(255))
    return [min(max(each, low), high) for each in (0.0, *levels)]


def texts(shape: Shape) -> Drawn:
    """Texts of a format or pattern, else short and mostly of plain letters.

    Raises:
        ConfigurationError: Python cannot read the pattern.
    """
    least = shape.get("minLength", 0)
    most = int(min(shape.get("maxLength", math.inf), least + _SPARE_LETTERS))
    if least > most:
        return st.nothing()
    if "pattern" in shape:
        return _matching(shape, least, most)
    if shape.get("contentEncoding") == "base64":
        return _coded(least, most)
    if "format" in shape and shape["format"] in _FORMATS:
        fitting = _FORMATS[shape["format"]]
        limit = shape.get("maxLength", math.inf)
        return fitting.filter(lambda text: least <= len(text) <= limit)
    return st.one_of(
        st.text(_PLAIN, min_size=least, max_size=most),
        st.text(_ANY_LETTERS, min_size=least, max_size=most),
    )


def _coded(least: int, most: int) -> Drawn:
    """Base64 of so many letters; of the lengths in bytes that give them, the inner ones."""
    fewest, greatest = math.ceil(least / 4) * 3, max(most // 4 * 3 - 2, 0)
    data = st.binary(min_size=min(fewest, greatest), max_size=greatest)
    return data.map(lambda each: base64.b64encode(each).decode())


def letters_of(shape: Shape, search: Callable[[str], Any]) -> str:
    """Letters that match a pattern each on its own."""
    letters: Iterable[str] = shape.get("x-characters", _PLAIN + string.punctuation)
    return "".join(letter for letter in letters if search(letter))


def _matching(shape: Shape, least: int, most: int) -> Drawn:
    try:
        pattern = re.compile(shape["pattern"])
    except re.error as error:
        raise ConfigurationError(
            f"Python cannot read the pattern {shape['pattern']!r} ({error}): "
            "say which actions are legal"
        ) from None
    options: list[Drawn] = []
    if letters := letters_of(shape, pattern.search):
        options.append(st.text(letters, min_size=least, max_size=most))
    if "x-characters" not in shape:
        options += [
            st.from_regex(pattern, fullmatch=True, alphabet=_PRINTABLE),
            st.from_regex(pattern, alphabet=_PRINTABLE),
        ]
    limit = shape.get("maxLength", math.inf)
    closed = "$" in pattern.pattern  # which in Python lets a newline follow, in JSON Schema nothing
    return st.one_of(options).filter(
        lambda text: (
            least <= len(text) <= limit
            and pattern.search(text) is not None
            and not (closed and text.endswith("\n"))
        )
    )
