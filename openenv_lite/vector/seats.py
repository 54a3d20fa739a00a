"""Which lane a number stands for, as long as there is one."""

from collections.abc import Sequence
from itertools import pairwise

from openenv_lite.batches import Autoreset
from openenv_lite.errors import InvalidMessageError
from openenv_lite.session import Session
from openenv_lite.vector.lane import Lane, Seal, check_one_each

__all__ = ["Seats"]


class Seats:
    """The lanes by number; each number is used once.

    Args:
        seal: Of every lane.

    Attributes:
        lanes: Those that are open, in the order of their numbers.
    """

    def __init__(self, seal: Seal) -> None:
        self._seal = seal
        self._next = 0
        self.lanes: dict[int, Lane] = {}

    def check(self, sessions: Sequence[str], wanted: Sequence[int] | None) -> None:
        """Refuse numbers that sessions which are taken up again cannot have.

        Raises:
            InvalidMessageError: They are not one each, in order, and larger than any before.
        """
        if wanted is None:
            return
        check_one_each(wanted, sessions, "numbers", "sessions")
        if any(number <= before for before, number in pairwise([self._next - 1, *wanted])):
            raise InvalidMessageError("Number lanes in order, and larger than any lane before")

    def seat(
        self, sessions: Sequence[Session], autoreset: Autoreset, wanted: Sequence[int] | None
    ) -> list[int]:
        """Give each session a lane; their numbers.

        Args:
            sessions: What plays in them.
            autoreset: Of each lane.
            wanted: Numbers, checked; the next ones by default.
        """
        numbers = [*(wanted or range(self._next, self._next + len(sessions)))]
        self._next = max([self._next - 1, *numbers]) + 1
        for number, session in zip(numbers, sessions, strict=True):
            self.lanes[number] = Lane(session, autoreset, self._seal)
        return numbers
