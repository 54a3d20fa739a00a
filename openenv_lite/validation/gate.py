"""A gate: one thing that is true of every package or server that is ready."""

from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["Failed", "Fault", "Gate", "Passed", "Skipped", "Unmet", "Verdict", "gate"]


class Fault(Exception):  # noqa: N818  as with `Unmet`
    """The gate is not passed.

    Args:
        fault: What is wrong, in a sentence.
        remedy: What to do next.
        details: What a program or law said of it, in lines.
    """

    def __init__(self, fault: str, remedy: str, details: str = "") -> None:
        super().__init__(fault)
        self.fault, self.remedy, self.details = fault, remedy, details


class Unmet(Exception):  # noqa: N818  it is no error: the gate has nothing to say here
    """There is nothing to be tested; says why."""


class Passed(NamedTuple):
    """All is well; `told` is what was found."""

    told: str


class Failed(NamedTuple):
    """What is wrong; see `Fault` for the fields."""

    fault: str
    remedy: str
    details: str


class Skipped(NamedTuple):
    """The gate was not tried."""

    reason: str


Verdict = Passed | Failed | Skipped


class Gate(NamedTuple):
    """One check, and all that is to be said of it.

    Attributes:
        name: Of the function.
        says: What is true behind the gate.
        test: Looks at a `Site` or `Package`; returns what it found, or raises `Fault` or `Unmet`.
        after: Names of gates without which this one proves nothing.
    """

    name: str
    says: str
    test: Callable[[Any], str]
    after: tuple[str, ...]


def gate(says: str, after: tuple[str, ...] = ()) -> Callable[[Callable[[Any], str]], Gate]:
    """Make a gate of the function below; see `Gate` for the arguments."""
    return lambda test: Gate(test.__name__, says, test, after)
