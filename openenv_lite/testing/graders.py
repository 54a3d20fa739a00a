"""The laws as graders of OpenEnv's `validate`.

OpenEnv's policy knows a closed list of check ids, with one grader each, and fails as a whole where
a result has another. So the entry points are graders for those ids that OpenEnv names and does not
implement; `every_grader` has one for each law, under ids of our own, which `policy` knows.
"""

import contextlib
import importlib
import time
from collections.abc import Sequence
from typing import Any

from openenv_lite.testing.law import Law
from openenv_lite.testing.laws import LAWS
from openenv_lite.testing.running import ALONE_S, Broken, Check, Held, Skipped, Terms, Verdict
from openenv_lite.testing.subject import subject_of

__all__ = [
    "EpisodeDeterminism",
    "EpisodeIsolation",
    "LawsGrader",
    "OracleContainment",
    "SeedControl",
    "ToolDeclarationAccuracy",
    "every_grader",
    "policy",
]

_MOST_SAID = 20


def _openenv(module: str) -> Any:
    """A module of OpenEnv's validation, which whoever loads graders has installed."""
    return importlib.import_module(f"openenv.validation.{module}")


class LawsGrader:
    """Laws as one grader, in the shape of OpenEnv's `Grader` protocol.

    Args:
        check_id: Under which OpenEnv's policy knows it.
        laws: All must hold.
    """

    requires_capabilities: frozenset[str] = frozenset()
    requires_provider: frozenset[Any] = frozenset()
    depends_on = ("runtime.startup",)

    def __init__(self, check_id: str, laws: Sequence[Law]) -> None:
        self.check_id = check_id
        self.level = _openenv("types").Level.RUNTIME
        self._laws = laws

    def applies_to(self, manifest: Any) -> bool:
        """Whatever the manifest says: a law that has nothing to say is skipped by itself."""
        return True

    def run(self, subject: Any) -> Any:
        """Put the laws to the test on the server that OpenEnv has started."""
        began = time.monotonic()
        if subject.running is None:
            verdicts: list[tuple[Law, Verdict]] = []
        else:
            verdicts = self._verdicts(subject.running.base_url)
        return _openenv("report").CheckResult(
            check_id=self.check_id,
            status=_openenv("types").CheckStatus(_status(verdicts)),
            measured={law.name: type(verdict).__name__.lower() for law, verdict in verdicts},
            evidence=[_said(*each) for each in verdicts][:_MOST_SAID] or ["no server runs"],
            remediation=_remedies(verdicts),
            duration_s=time.monotonic() - began,
        )

    def _verdicts(self, base_url: str) -> list[tuple[Law, Verdict]]:
        terms = Terms(budget_s=ALONE_S * len(self._laws))
        with contextlib.closing(subject_of(base_url)) as server:
            return list(Check(server, terms).verdicts(self._laws))


def _status(verdicts: list[tuple[Law, Verdict]]) -> str:
    kinds = {type(verdict) for _, verdict in verdicts}
    if Broken in kinds:
        return "fail"
    return "pass" if Held in kinds else "skip"


def _said(law: Law, verdict: Verdict) -> str:
    if isinstance(verdict, Broken):
        return f"{law.name}: {verdict.violation}"
    if isinstance(verdict, Skipped):
        return f"{law.name}: skipped, {verdict.reason}"
    return f"{law.name}: held in {verdict.examples} examples"


def _remedies(verdicts: list[tuple[Law, Verdict]]) -> str | None:
    remedies = [law.remedy for law, verdict in verdicts if isinstance(verdict, Broken)]
    return " ".join(remedies) or None


class _OpenEnvCheck(LawsGrader):
    """The laws that carry out one check of OpenEnv's."""

    check_id: str

    def __init__(self) -> None:
        super().__init__(self.check_id, [law for law in LAWS if law.check_id == self.check_id])


class EpisodeDeterminism(_OpenEnvCheck):
    """A seed and the actions decide the episode."""

    check_id = "runtime.episode_determinism"


class EpisodeIsolation(_OpenEnvCheck):
    """Nothing passes from one episode or session to another."""

    check_id = "runtime.episode_isolation"


class OracleContainment(_OpenEnvCheck):
    """A model is shown neither rewards nor controls."""

    check_id = "runtime.oracle_containment"


class SeedControl(_OpenEnvCheck):
    """A seed controls what is random."""

    check_id = "runtime.seed_control"


class ToolDeclarationAccuracy(_OpenEnvCheck):
    """The tools that are listed are those that can be called."""

    check_id = "runtime.tool_declaration_accuracy"


def every_grader() -> list[LawsGrader]:
    """A grader for each law, with `contract.` and its name as check id."""
    return [LawsGrader(f"contract.{law.name}", [law]) for law in LAWS]


def policy() -> Any:
    """OpenEnv's policy v2, which knows the ids of `every_grader` as well: each may fail a run."""
    module = _openenv("policy")
    known = module.load_policy("v2")
    entries = [
        module.PolicyEntry(check_id=f"contract.{law.name}", level=2, lane="local", severity="fail")
        for law in LAWS
    ]
    return known.model_copy(update={"entries": [*known.entries, *entries]})
