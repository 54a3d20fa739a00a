"""The official conformance suite: how it is fetched, run and read.

The suite and a Node new enough for it come through `npx`, into npm's own cache.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from tests.turns import one_at_a_time

__all__ = ["Check", "Findings", "Suite", "fetch_suite", "findings_in", "shortcomings"]

VERSION = "0.2.0-alpha.12"
PACKAGES = ("node@22", f"@modelcontextprotocol/conformance@{VERSION}")
FETCH_TIMEOUT_S = 150
RUN_TIMEOUT_S = 120
SCENARIO_TIMEOUT_MS = 10_000
GOOD = frozenset({"SUCCESS", "INFO"})

ADVICE = (
    "The conformance suite runs on Node: install Node.js 20 or later, which brings npx "
    "(Debian: apt-get install npm), and let npm reach its registry."
)


class Check(NamedTuple):
    """One thing the suite looked at: SUCCESS, INFO, SKIPPED, WARNING or FAILURE."""

    name: str
    status: str
    message: str = ""


Findings = dict[str, list[Check]]
"""What a run showed, by scenario."""


class Suite:
    """The suite, ready to run.

    Args:
        path: A `PATH` on which `conformance` and its Node come first.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def required(self, revision: str) -> frozenset[str]:
        """The server scenarios a revision of the protocol requires."""
        listing = self._call("list", "--requirements", revision).stdout
        servers = listing.partition("Server scenarios")[2].partition("\n\n")[0]
        return frozenset(re.findall(r"^  - (\S+)", servers, re.MULTILINE))

    def run(self, url: str, folder: Path, *selection: str) -> Findings:
        """Run the selected scenarios against a server; what they showed is kept in the folder."""
        limit = ("--timeout", str(SCENARIO_TIMEOUT_MS))
        run = self._call("server", "--url", url, "-o", str(folder), *limit, *selection)
        findings = findings_in(folder)
        assert findings, f"The suite ran nothing:\n{run.stdout}\n{run.stderr}"
        return findings

    def _call(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        program = shutil.which("conformance", path=self._path)
        assert program is not None, "npx brought no `conformance`"
        return subprocess.run(
            [program, *arguments],
            env={**os.environ, "PATH": self._path},
            capture_output=True,
            text=True,
            timeout=RUN_TIMEOUT_S,
            check=False,
        )


def fetch_suite(folder: Path) -> Suite:
    """Have npx fetch the suite, unless its cache holds it.

    Args:
        folder: An empty one, so that npx looks at no project.

    Raises:
        LookupError: It cannot be had; the text says what to do.
    """
    npx = shutil.which("npx")
    if npx is None:
        raise LookupError(ADVICE)
    packages = [word for package in PACKAGES for word in ("-p", package)]
    command = [npx, "-y", *packages, "-c", "node -p process.env.PATH"]
    with one_at_a_time(__file__):
        fetched = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=FETCH_TIMEOUT_S,
            check=False,
        )
    if fetched.returncode:
        raise LookupError(f"{ADVICE}\nnpx said:\n{fetched.stderr}")
    return Suite(fetched.stdout.strip())


def findings_in(folder: Path) -> Findings:
    """Read what a run left: a folder for each scenario, named after it and its time."""
    named = re.compile(r"server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z")
    found: Findings = {}
    for file in sorted(folder.glob("*/checks.json")):
        match = named.fullmatch(file.parent.name)
        assert match is not None, f"{file.parent.name} does not name a scenario"
        found[match[1]] = [
            Check(each["id"], each["status"], each.get("errorMessage") or "")
            for each in json.loads(file.read_text())
        ]
    return found


def shortcomings(findings: Findings, wanted: Collection[str]) -> list[str]:
    """What keeps the wanted scenarios from having passed, a line each; none is what we want.

    Stricter than the suite, which forgives a warning, what was skipped, and a scenario that
    looked at nothing.
    """
    missing = [
        f"{scenario}: did not run" for scenario in sorted(wanted) if scenario not in findings
    ]
    seen = [(scenario, findings[scenario]) for scenario in sorted(wanted) if scenario in findings]
    return missing + [line for scenario, checks in seen for line in _faults(scenario, checks)]


def _faults(scenario: str, checks: list[Check]) -> list[str]:
    bad = [each for each in checks if each.status not in GOOD]
    if not any(each.status == "SUCCESS" for each in checks) and not bad:
        return [f"{scenario}: nothing was checked"]
    return [f"{scenario}: {each.name}: {each.status} {each.message}" for each in bad]
