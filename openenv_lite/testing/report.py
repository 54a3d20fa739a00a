"""What is said of a target: the broken laws, each with a counterexample that can be run."""

from collections.abc import Iterable

from openenv_lite.printable import printable
from openenv_lite.testing.law import Law
from openenv_lite.testing.running import Broken, Verdict
from openenv_lite.testing.subject import Subject

__all__ = ["account_of", "accounts_of", "counterexample"]

_SUPPRESSING = "with suppress(OpenEnvError)"

_PLAYS = ("dial", "knock", "play", "played", "spoil")
"""What a counterexample may need of this package."""


def accounts_of(subject: Subject, verdicts: Iterable[tuple[Law, Verdict]]) -> str:
    """Every broken law with its account."""
    broken = [(law, verdict) for law, verdict in verdicts if isinstance(verdict, Broken)]
    parts = [account_of(subject, law, verdict) for law, verdict in broken]
    return "\n\n".join([f"{subject.name} breaks {len(parts)} of the contract's laws.", *parts])


def account_of(subject: Subject, law: Law, broken: Broken) -> str:
    """A broken law: what it says, how it was broken, the likely cause, and what to do."""
    code = "\n".join(f"    {line}" for line in counterexample(subject, broken).splitlines())
    return printable(
        f"{law.name} ({law.group}): {law.says}\n"
        f"  broken: {broken.violation}\n  again:\n{code}\n"
        f"  likely cause: {law.cause}\n  remedy: {law.remedy}"
    )


def counterexample(subject: Subject, broken: Broken) -> str:
    """Python that plays the counterexample again."""
    code = "\n".join(broken.lines)
    names = ", ".join(name for name in _PLAYS if f"{name}(" in code)
    imports = [subject.imports] if subject.imports else []
    if names:
        imports.append(f"from openenv_lite.testing import {names}")
    if _SUPPRESSING in code:
        imports += ["from contextlib import suppress", "from openenv_lite import OpenEnvError"]
    return "\n".join([*imports, "", code])
