"""A law: one property that every environment has, as a function that tries to refute it."""

import enum
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["Law", "Need", "Unmet", "Violation", "law"]


class Violation(AssertionError):  # noqa: N818  as with `Unmet`
    """The law is broken, and how."""


class Unmet(Exception):  # noqa: N818  it is no error: the law has nothing to say here
    """What the law is about does not occur in this environment; says what is missing."""


class Need(enum.Enum):
    """What a law asks of the target, and what is said where it is missing."""

    OBJECTS = "the environment's class: a server shows no objects"
    EPISODES = "a trainer's controls, which a server in production has not"
    SEVERAL = "several environments at once, and this one allows one"
    TOOLS = "tools, and the environment offers none"
    SNAPSHOTS = "`snapshot` and `restore`, which the environment does not define"
    WIRE = "a server: a class has no wire of its own"
    LANES = "our subprotocol on /ws, which this server does not speak"
    ELSEWHERE = "a class that other processes can import by module and name"
    PRODUCTION = "production mode: start the server with OPENENV_MODE=production"


class Law(NamedTuple):
    """One property, and all that is to be said of it.

    Attributes:
        name: Of the function; names the fault's opposite.
        group: Which chapter of the contract it belongs to: the module it stands in.
        says: The property, in a sentence.
        test: Plays with the target by a `Trial`, once for each example; raises `Violation`.
        needs: Without these it is skipped.
        after: Names of laws without which this one proves nothing.
        check_id: The OpenEnv check that it carries out, where one exists.
        cause: The likely one of a violation.
        remedy: What to change.
    """

    name: str
    group: str
    says: str
    test: Callable[[Any], None]
    needs: tuple[Need, ...]
    after: tuple[str, ...]
    check_id: str | None
    cause: str
    remedy: str


def law(
    says: str,
    *,
    cause: str,
    remedy: str,
    needs: tuple[Need, ...] = (Need.EPISODES,),
    after: tuple[str, ...] = (),
    check_id: str | None = None,
) -> Callable[[Callable[[Any], None]], Law]:
    """Make a law of the function below; see `Law` for the arguments."""

    def make(test: Callable[[Any], None]) -> Law:
        group = test.__module__.rpartition(".")[2]
        return Law(test.__name__, group, says, test, needs, after, check_id, cause, remedy)

    return make
