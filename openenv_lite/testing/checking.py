"""`check_environment`: all laws on one target, and what is said of it."""

import contextlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from openenv_lite.errors import ConfigurationError
from openenv_lite.testing.law import Law
from openenv_lite.testing.laws import LAWS
from openenv_lite.testing.legal import Narrowing
from openenv_lite.testing.report import accounts_of
from openenv_lite.testing.running import Broken, Check, Terms, Verdict
from openenv_lite.testing.subject import subject_of

__all__ = ["Report", "check_environment", "laws_named", "left_out"]


class Report(NamedTuple):
    """What came of each law.

    Attributes:
        name: Of the target.
        verdicts: In the order of the laws.
    """

    name: str
    verdicts: list[tuple[Law, Verdict]]

    @property
    def broken(self) -> list[str]:
        """Names of the laws that do not hold."""
        return [law.name for law, verdict in self.verdicts if isinstance(verdict, Broken)]


def check_environment(
    target: Any,
    *,
    actions: Narrowing = None,
    laws: Iterable[str] | None = None,
    skip: Iterable[str] = (),
    seed: int = 0,
    budget_s: float = 12.0,
) -> Report:
    """Put every law to the test.

    Args:
        target: An environment's class or factory, an ASGI app, or the URL of a running server.
        actions: A strategy of legal actions, or a function from what was seen last (`.observation`
            as plain values, `.reward`, `.done`) to one; by default, all that the types allow.
        laws: Names of the laws to test, all by default.
        skip: Names of laws to leave out.
        seed: Another one tries other examples.
        budget_s: Seconds for all laws together.

    Raises:
        AssertionError: Laws are broken; says which, with a counterexample for each.
        ConfigurationError: The target is none, or a law's name is unknown.
    """
    chosen, terms = laws_named(laws), Terms(seed, budget_s, actions, left_out(skip))
    with contextlib.closing(subject_of(target)) as subject:
        report = Report(subject.name, list(Check(subject, terms).verdicts(chosen)))
        if report.broken:
            raise AssertionError(accounts_of(subject, report.verdicts))
        return report


def left_out(names: Iterable[str]) -> frozenset[str]:
    """The names, all of which are laws'.

    Raises:
        ConfigurationError: There is no law of one of the names.
    """
    return frozenset(law.name for law in laws_named(names))


def laws_named(names: Iterable[str] | None) -> list[Law]:
    """The laws of these names, in their order; all for None.

    Raises:
        ConfigurationError: There is none of one of the names.
    """
    if names is None:
        return LAWS
    wanted = {*names}
    unknown = wanted - {law.name for law in LAWS}
    if unknown:
        raise ConfigurationError(f"No law is named {', '.join(sorted(unknown))}")
    return [law for law in LAWS if law.name in wanted]
