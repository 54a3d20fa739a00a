"""The official conformance suite against `tests.mcp.fixture`, on both wires and in both modes."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.process import serving as serving_command
from tests.mcp.fixture import app
from tests.mcp.suite import Findings, Suite, shortcomings
from tests.server.serving import serving


class Demand(NamedTuple):
    """What must pass at one revision; counted, so that a shorter list does not go unnoticed."""

    required: int
    """Scenarios that the revision requires."""
    all: int
    """Scenarios that apply to it, with those too new or too hard to be required."""
    checks: int
    """Checks in all of them that must say SUCCESS: no scenario passes by looking away."""


DEMANDS = {"2025-11-25": Demand(30, 33, 83), "2026-07-28": Demand(37, 40, 152)}
REVISIONS = pytest.mark.parametrize("revision", DEMANDS)


@REVISIONS
def test_every_required_scenario_passes(suite: Suite, revision: str, tmp_path: Path) -> None:
    required = suite.required(revision)
    assert len(required) == DEMANDS[revision].required
    with serving_command("tests.mcp.fixture:Everything", "--mode", "production") as served:
        findings = suite.run(f"{served.url}/mcp", tmp_path, "--requirements", revision)
    passed(findings, required)


@REVISIONS
def test_every_other_scenario_passes_too(suite: Suite, revision: str, tmp_path: Path) -> None:
    with serving(app) as served:
        selection = ("--suite", "all", "--spec-version", revision)
        findings = suite.run(f"{served.http}/mcp", tmp_path, *selection)
    passed(findings, findings)
    assert len(findings) == DEMANDS[revision].all
    assert successes(findings) == DEMANDS[revision].checks


def passed(findings: Findings, wanted: Collection[str]) -> None:
    """Fail with every fault, a line each."""
    faults = shortcomings(findings, wanted)
    assert not faults, "\n".join(faults)


def successes(findings: Findings) -> int:
    return sum(check.status == "SUCCESS" for checks in findings.values() for check in checks)
