"""Texts that only we can make: handed to a client, and known for ours when it shows them again.

A sealed text can be read by whoever holds it, so nothing secret belongs in it: what must stay
unread stays on the server, behind an id. What may travel (the client's own answers, an id, an
offset) needs to be beyond forgery, not beyond reading, and the standard library has no cipher.
"""

import base64
import hashlib
import hmac
import struct
from typing import Any

import msgspec

from openenv_lite import codec
from openenv_lite.errors import ConfigurationError, SealBrokenError

__all__ = ["Seal", "unproven"]

_MARK_BYTES = 16
"""Of the HMAC-SHA256 that is kept: a guess is right once in 2**128."""

_SHORTEST_KEY = 16

_moment = struct.Struct(">d")


class Seal:
    """Seals and opens texts with one key.

    Args:
        key: At least 16 bytes. Processes that share it open each other's texts.

    Raises:
        ConfigurationError: The key is too short.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < _SHORTEST_KEY:
            raise ConfigurationError(
                f"The key has {len(key)} bytes; give {_SHORTEST_KEY} or more, chosen at random"
            )
        self._key = key

    def seal(self, purpose: str, claims: Any, expires_at: float) -> str:
        """Claims as one URL-safe text of 32 characters and four thirds of the claims' JSON.

        Args:
            purpose: What the text is for; it opens for nothing else.
            claims: Whatever JSON carries; it comes back as plain values.
            expires_at: When it ceases to open, on the clock that `open` is told; may be infinite.
        """
        content = _moment.pack(expires_at) + codec.encode(claims)
        return _text(self._mark(purpose, content) + content)

    def open(self, purpose: str, token: str, now: float) -> Any:
        """The claims that were sealed.

        Args:
            purpose: What the text is for.
            token: What the client showed, from wherever it has it.
            now: The time, on the clock that `expires_at` was read from.

        Raises:
            SealBrokenError: We did not make it, or not for this, or it has expired.
        """
        sealed = _sealed(token)
        mark, content = sealed[:_MARK_BYTES], sealed[_MARK_BYTES:]
        if not hmac.compare_digest(mark, self._mark(purpose, content)):
            raise _broken()
        (expires_at,) = _moment.unpack_from(content)
        if not now < expires_at:
            raise _broken()
        return _claims(content[_moment.size :])

    def _mark(self, purpose: str, content: bytes) -> bytes:
        name = purpose.encode()
        # The length keeps the end of a purpose from being taken for the beginning of the content.
        message = len(name).to_bytes(4, "big") + name + content
        return hmac.digest(self._key, message, hashlib.sha256)[:_MARK_BYTES]


def unproven(token: str) -> Any:
    """The claims of a text, whoever made it: to choose who opens it, never to trust.

    Raises:
        SealBrokenError: It holds none.
    """
    return _claims(_sealed(token)[_MARK_BYTES + _moment.size :])


def _text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _sealed(token: str) -> bytes:
    """The bytes of a text, provided that it is the one text for them."""
    try:
        sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        raise _broken() from None
    # The decoder skips characters it does not know, and bits that stand for nothing.
    if _text(sealed) != token:
        raise _broken()
    return sealed


def _claims(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        raise _broken() from None


def _broken() -> SealBrokenError:
    return SealBrokenError(
        "This is not a text of this server's, or it was altered, or it has expired. "
        "Begin again without it."
    )
