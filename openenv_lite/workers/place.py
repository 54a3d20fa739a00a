"""Which of a server's processes this one is, which its ids tell.

A session lives in one process. Its id begins with a mark, the number of that process, so whichever
receives a request knows where it belongs. Where there is only one process, ids have no mark.
"""

import os
import re
import zlib
from collections.abc import Awaitable, Callable

import msgspec

__all__ = ["Worker", "become", "here", "marked", "new_id", "random_id", "whereabouts"]

_MARK = re.compile(r"([0-9]{1,4})\.([0-9]{1,9})\.")


class Worker(msgspec.Struct, eq=False):
    """One of the processes of a server.

    Attributes:
        number: From 0; the process that takes the place of one that ended has its number.
        generation: How many had the number before.
        count: Of all numbers.
        folder: Where the workers' sockets and shared slots are; nobody else may enter it.
        pleas: For each pool, what ends a session whose client went away, if there is one.
    """

    number: int
    generation: int
    count: int
    folder: str
    pleas: list[Callable[[], Awaitable[bool]]] = []

    @property
    def mark(self) -> str:
        """What ids of this process begin with."""
        return f"{self.number}.{self.generation}."

    def path_of(self, number: int) -> str:
        """The Unix socket on which the worker of a number hears the others."""
        return os.path.join(self.folder, str(number))

    def holder_of(self, identity: str) -> int:
        """The number of the worker to ask for this id; this one's where the id does not tell."""
        mark = _MARK.match(identity)
        number = self.number if mark is None else int(mark[1])
        return number if number < self.count else self.number

    def host_of(self, principal: str | None) -> int:
        """The number of the worker that has a principal's common environment."""
        return 0 if principal is None else zlib.crc32(principal.encode()) % self.count

    def where(self, identity: str) -> str:
        """A sentence about a session that is not known here; empty where the id tells nothing."""
        mark = _MARK.match(identity)
        if mark is None or mark[0] == self.mark or int(mark[1]) >= self.count:
            return ""
        if int(mark[1]) == self.number:
            return ". It was lost when the worker that held it ended"
        return (
            ". It lives in another worker of this server: name it in the URL (?session_id=), "
            "and the request goes there"
        )


_here: list[Worker] = []


def become(worker: Worker) -> None:
    """Make this process a worker, before it serves anything."""
    _here[:] = [worker]


def here() -> Worker | None:
    """The worker that this process is; None where it serves alone."""
    return _here[0] if _here else None


def marked(identity: str) -> str:
    """The id, saying where it was made if there are several places."""
    worker = here()
    return identity if worker is None else worker.mark + identity


def new_id() -> str:
    """An id for a session, which nobody can guess."""
    return marked(random_id())


def random_id() -> str:
    """A UUID of version 4, in a third of the time that the standard library takes."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def whereabouts(identity: str) -> str:
    """What is known of a session that is not here, to stand at the end of an error; or nothing."""
    worker = here()
    return "" if worker is None else worker.where(identity)
