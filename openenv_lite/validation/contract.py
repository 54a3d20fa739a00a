"""The contract's laws, put to the test as `openenv-lite check` does."""

import collections
import importlib.util

import msgspec

from openenv_lite.validation.gate import Fault, Unmet, gate
from openenv_lite.validation.processes import OURS, Ended, last_line, run
from openenv_lite.validation.site import Site

__all__ = ["contract_laws"]

_OVERTIME = 6
"""Times the budget: laws may overrun it, and those that are broken take longer."""

_NO_TIME = "no time was left"
"""Begins the reason of a law that was skipped for want of time."""


class Law(msgspec.Struct):
    """What `check` tells of one."""

    law: str
    says: str
    verdict: str
    reason: str = ""
    violation: str = ""
    again: str = ""
    cause: str = ""
    remedy: str = ""


@gate("no law of the contract is broken", after=("package_import", "schema_endpoint"))
def contract_laws(site: Site) -> str:
    """In a process of its own, which can be stopped whatever the environment does."""
    if importlib.util.find_spec("hypothesis") is None:
        raise Unmet("it needs Hypothesis: run pip install 'openenv-lite[testing]'")
    limits = site.limits
    limit_s = _OVERTIME * limits.laws_s + limits.program_s
    command = (*OURS, "check", site.source, "--json", "--budget", str(limits.laws_s))
    ended = run(command, limit_s)
    laws = _laws_of(ended, limit_s)
    if all(law.verdict == "skipped" for law in laws):
        raise Unmet("the target has nothing that a law speaks of")
    broken = [law for law in laws if law.verdict == "broken"]
    if broken:
        names = ", ".join(law.law for law in broken)
        raise Fault(
            f"{_counts(laws)}: {names}",
            f"Mend what is broken; `openenv-lite check {site.target}` tests the laws alone",
            "\n\n".join(map(_account, broken)),
        )
    return _counts(laws)


def _laws_of(ended: Ended, limit_s: float) -> list[Law]:
    if ended.code is None:
        raise Fault(
            f"The laws were still being tested after {limit_s:g} s",
            "A call of the environment's does not return: give it a time limit of its own",
        )
    try:
        return msgspec.json.decode(ended.out, type=list[Law])
    except msgspec.DecodeError:
        said = last_line(ended).removeprefix("openenv-lite: ")
        raise Fault(f"The laws could not be tested: {said}", "Mend that first", ended.err) from None


def _counts(laws: list[Law]) -> str:
    counts: collections.Counter[str] = collections.Counter(law.verdict for law in laws)
    told = ", ".join(f"{counts[word]} {word}" for word in ("held", "broken", "skipped"))
    late = sum(law.reason.startswith(_NO_TIME) for law in laws)
    return f"{told} ({late} for want of time: give --budget)" if late else told


def _account(law: Law) -> str:
    again = "\n".join(f"    {line}" for line in law.again.splitlines())
    return (
        f"{law.law}: {law.says}\n  broken: {law.violation}\n  again:\n{again}\n"
        f"  likely cause: {law.cause}\n  remedy: {law.remedy}"
    )
