"""Laws put to the test, one after the other, within a time."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import Any, NamedTuple

import hypothesis
from hypothesis import Phase
from hypothesis import strategies as st

from openenv_lite.errors import OpenEnvError
from openenv_lite.testing.law import Law, Need, Unmet, Violation
from openenv_lite.testing.legal import Actions, Narrowing
from openenv_lite.testing.overhearing import hushed
from openenv_lite.testing.subject import Subject
from openenv_lite.testing.trial import Trial

__all__ = ["ALONE_S", "Broken", "Check", "Held", "Skipped", "Terms", "Verdict"]

EXAMPLES = 40
"""Of each law, at most."""

ALONE_S = 1.0
"""What a law has that is put to the test by itself."""

FEW_EXAMPLES = 12
"""Fewer find little: for so many, a law may take a few times what it has of the time."""

_PATIENCE = 6

_OVERTIME = 4
"""Times the budget that laws may overrun it before the rest is left out."""

_TOLD_LATER = (Need.ELSEWHERE, Need.LANES)
"""Needs that only another process, or a connection, can tell of."""

_LEAST_S = 0.1
"""What each law has of the time, however little is left."""

_SHRINKING_S = 3.0
"""How long a counterexample is made smaller."""


class Held(NamedTuple):
    """No counterexample in so many examples."""

    examples: int


class Skipped(NamedTuple):
    """The law was not put to the test."""

    reason: str


class Broken(NamedTuple):
    """A counterexample.

    Attributes:
        violation: How the law was broken.
        lines: Python that plays it again, without the imports.
        actions: Its length.
    """

    violation: str
    lines: list[str]
    actions: int


Verdict = Held | Skipped | Broken


class Terms(NamedTuple):
    """How laws are put to the test.

    Attributes:
        seed: Of the examples: the same seed tries the same.
        budget_s: For all laws together; one that is broken may take a few seconds more.
        actions: Legal actions, if the types allow more.
        skip: Names of laws to leave out.
    """

    seed: int = 0
    budget_s: float = 12.0
    actions: Narrowing = None
    skip: frozenset[str] = frozenset()


class Check:
    """One target put to the test, law by law.

    Args:
        subject: The target.
        terms: How.
    """

    def __init__(self, subject: Subject, terms: Terms) -> None:
        self._subject = subject
        self._terms = terms
        self._actions = Actions(subject, terms.actions)
        self._faults: dict[str, str] = {}
        """By law: why it, and what rests on it, proves nothing."""

    def verdicts(self, laws: Sequence[Law]) -> Iterator[tuple[Law, Verdict]]:
        """Each law with what came of it, as soon as it is known.

        Args:
            laws: In an order in which none comes before one that it rests on.
        """
        self._subject.prepare({need for law in laws for need in law.needs})
        until = perf_counter() + self._terms.budget_s
        left = sum(map(self._takes_time, laws))
        for law in laws:
            left_s = until - perf_counter()
            if left_s < -_OVERTIME * self._terms.budget_s:
                yield law, Skipped(f"no time was left of {self._terms.budget_s:g} s: give it more")
            else:
                yield law, self.verdict(law, max(left_s / max(left, 1), _LEAST_S))
            left -= self._takes_time(law)

    def _takes_time(self, law: Law) -> bool:
        """Whether the target has what the law needs, as far as can be told without a session."""
        return all(need in _TOLD_LATER or self._subject.offers(need) for need in law.needs)

    def verdict(self, law: Law, budget_s: float = ALONE_S) -> Verdict:
        """What comes of one law in so many seconds."""
        reason = self._why_not(law)
        if reason is not None:
            return Skipped(reason)
        with hushed():
            verdict = _Examples(law, self._subject, self._actions, budget_s).run(self._terms.seed)
        if isinstance(verdict, Broken):
            self._faults[law.name] = f"{law.name} is broken"
        return verdict

    def _why_not(self, law: Law) -> str | None:
        if law.name in self._terms.skip:
            self._faults[law.name] = f"{law.name} is left out"
            return "left out by the caller"
        for need in law.needs:
            if not self._subject.offers(need):
                return f"it needs {need.value}"
        for other in law.after:
            if other in self._faults:
                self._faults[law.name] = self._faults[other]
                return f"it proves nothing while {self._faults[other]}"
        return None


class _Examples:
    """The examples of one law."""

    def __init__(self, law: Law, subject: Subject, actions: Actions, budget_s: float) -> None:
        self._law = law
        self._subject = subject
        self._actions = actions
        self._until = perf_counter() + budget_s
        self._latest = self._until + (_PATIENCE - 1) * budget_s
        self._begun = 0
        self._tried = 0
        self._unmet = "it needs examples, and none can be drawn"
        self._best: Broken | None = None

    def run(self, seed: int) -> Verdict:
        """Try examples; the smallest that breaks the law is kept, whatever Hypothesis finds."""
        with contextlib.suppress(Violation, hypothesis.errors.HypothesisException):
            self._test(seed)()
        if self._best is not None:
            return self._best
        return Held(self._tried) if self._tried else Skipped(self._unmet)

    def _test(self, seed: int) -> Callable[[], None]:
        settings = hypothesis.settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(hypothesis.HealthCheck),
            report_multiple_bugs=False,
            verbosity=hypothesis.Verbosity.quiet,
        )
        test: Callable[[], None] = hypothesis.seed(seed)(
            settings(hypothesis.given(st.data())(self._try))
        )
        return test

    def _try(self, data: Any) -> None:
        if self._is_over():
            return
        self._begun += 1
        trial = Trial(self._subject, self._actions, data)
        try:
            self._law.test(trial)
            self._tried += 1
        except Unmet as error:
            self._unmet = f"it needs {error}"
        except OpenEnvError as error:
            self._unmet = f"it needs calls that do not fail: {error.message}"
        except Violation as error:
            self._keep(error, trial)
            raise
        except hypothesis.errors.HypothesisException:
            raise
        except Exception as error:  # noqa: BLE001  one law's fault must not cost the others
            self._unmet = f"a fault of the law itself: {type(error).__name__}: {error}"
        finally:
            trial.close()

    def _is_over(self) -> bool:
        is_enough = self._best is not None or self._begun >= FEW_EXAMPLES
        return perf_counter() > (self._until if is_enough else self._latest)

    def _keep(self, error: Violation, trial: Trial) -> None:
        if self._best is None:
            self._until = perf_counter() + _SHRINKING_S
        found = Broken(str(error), trial.lines, trial.drawn)
        if self._best is None or _size(found) <= _size(self._best):
            self._best = found


def _size(found: Broken) -> tuple[int, int, int]:
    return found.actions, len(found.lines), sum(map(len, found.lines))
