import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite.errors import ConfigurationError, RequestError, SealBrokenError
from openenv_lite.mcp.seal import Seal

KEY = b"sixteen bytes ok"
SEAL = Seal(KEY)
NOW = 1_000.0

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    # Lone surrogates are no Unicode text; JSON that was read cannot hold them.
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def refuses(token: str, purpose: str = "state", now: float = NOW, seal: Seal = SEAL) -> bool:
    try:
        seal.open(purpose, token, now)
    except SealBrokenError:
        return True
    return False


@given(JSON, NAMES)
def test_what_was_sealed_opens_for_its_purpose(claims: Any, purpose: str) -> None:
    token = SEAL.seal(purpose, claims, NOW + 1)
    assert SEAL.open(purpose, token, NOW) == claims
    assert Seal(KEY).open(purpose, token, NOW) == claims


@given(JSON)
def test_a_token_needs_no_quoting_anywhere(claims: Any) -> None:
    token = SEAL.seal("state", claims, NOW)
    assert token.isascii()
    assert token.replace("-", "").replace("_", "").isalnum()


def test_a_token_is_short() -> None:
    assert len(SEAL.seal("cursor", ["tools", 50], math.inf)) == 48


@given(JSON, st.data())
def test_every_flipped_bit_is_refused(claims: Any, data: st.DataObject) -> None:
    token = SEAL.seal("state", claims, NOW + 1)
    place = data.draw(st.integers(0, len(token) - 1))
    bit = data.draw(st.integers(0, 6))
    flipped = chr(ord(token[place]) ^ 1 << bit)
    assert refuses(token[:place] + flipped + token[place + 1 :])


@pytest.mark.parametrize("claims", ["", "a", "ab", {"id": 1}], ids=repr)
def test_every_single_character_counts(claims: Any) -> None:
    token = SEAL.seal("state", claims, NOW + 1)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/= \n"
    for place, character in enumerate(token):
        for other in alphabet.replace(character, ""):
            assert refuses(token[:place] + other + token[place + 1 :])


@given(st.text() | st.text("ABCabc019-_="))
def test_no_text_that_somebody_made_up_opens(token: str) -> None:
    assert refuses(token)


@given(JSON, st.text("AQgw019-_+/= \n\tä", min_size=1, max_size=5))
def test_nothing_can_be_added_or_left_out(claims: Any, more: str) -> None:
    token = SEAL.seal("state", claims, NOW + 1)
    assert refuses(token + more)
    assert refuses(more + token)
    assert refuses(token[: -len(more)])
    assert refuses(token[len(more) :])


@given(NAMES, NAMES, JSON)
def test_a_token_opens_for_no_other_purpose(purpose: str, other: str, claims: Any) -> None:
    token = SEAL.seal(purpose, claims, NOW + 1)
    assert refuses(token, other) is (purpose != other)


def test_purpose_and_claims_cannot_lend_each_other_characters() -> None:
    assert SEAL.seal("a", 1, 0.0)[:20] != SEAL.seal("a\0", 1, 0.0)[:20]
    assert refuses(SEAL.seal("statex", "", NOW + 1))


def test_another_key_opens_nothing() -> None:
    token = SEAL.seal("state", {}, NOW + 1)
    assert refuses(token, seal=Seal(KEY[::-1]))
    assert refuses(token, seal=Seal(KEY + b"\0x"))


@pytest.mark.parametrize(
    ("expires_at", "now", "refused"),
    [
        (NOW, NOW - 0.001, False),
        (NOW, NOW, True),
        (NOW, NOW + 1, True),
        (math.inf, 1e300, False),
        (math.nan, NOW, True),
        (NOW, math.nan, True),
        (-math.inf, 0.0, True),
    ],
)
def test_a_token_expires(expires_at: float, now: float, refused: bool) -> None:
    assert refuses(SEAL.seal("state", {}, expires_at), now=now) is refused


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_it_opens_before_its_moment_and_at_no_other_time(expires_at: float, now: float) -> None:
    assert refuses(SEAL.seal("state", 1, expires_at), now=now) is (now >= expires_at)


def test_claims_nested_deeper_than_can_be_read_are_refused_not_fatal() -> None:
    deep = msgspec.Raw(b"[" * 100_000 + b"]" * 100_000)
    assert refuses(SEAL.seal("state", deep, NOW + 1))


def test_the_error_says_nothing_of_why_and_what_to_do() -> None:
    texts = set()
    for token in ("", "x", "é", SEAL.seal("other", 1, NOW + 1), SEAL.seal("state", 1, NOW)):
        with pytest.raises(RequestError, match="Begin again") as refusal:
            SEAL.open("state", token, NOW)
        texts.add(str(refusal.value))
        assert refusal.value.rpc_code == -32602
    assert len(texts) == 1


@pytest.mark.parametrize("key", [b"", b"fifteen bytes!!"])
def test_a_short_key_is_refused_at_once(key: bytes) -> None:
    with pytest.raises(ConfigurationError, match="16"):
        Seal(key)
