"""Long lists a page at a time, behind cursors that mean nothing to a client."""

from collections.abc import Sequence
from typing import Any, TypeVar

from openenv_lite.errors import InvalidArgumentsError, SealBrokenError
from openenv_lite.mcp.seal import Seal

__all__ = ["Pages"]

T = TypeVar("T")

_FOREVER = float("inf")


class Pages:
    """Cuts lists into pages.

    Args:
        seal: Keeps cursors from being made up.
        size: Entries on a page.
    """

    def __init__(self, seal: Seal, size: int) -> None:
        self._seal = seal
        self._size = size

    def cut(
        self, name: str, entries: Sequence[T], cursor: str | None
    ) -> tuple[Sequence[T], str | None]:
        """One page of the list of this name, and the cursor of the next, if there is one.

        Raises:
            InvalidArgumentsError: The cursor is not one of this list's.
        """
        start = 0 if cursor is None else self._offset(name, cursor)
        end = start + self._size
        following = self._seal.seal("cursor", [name, end], _FOREVER) if end < len(entries) else None
        return entries[start:end], following

    def _offset(self, name: str, cursor: str) -> int:
        try:
            claims: Any = self._seal.open("cursor", cursor, 0.0)
        except SealBrokenError:
            claims = None
        if not isinstance(claims, list) or claims[0] != name:
            raise InvalidArgumentsError("Invalid cursor: ask for the list from its beginning")
        return int(claims[1])
