"""The reader of the official suite's results misses nothing that went wrong."""

import json
from pathlib import Path

import pytest

from tests.mcp.suite import Check, findings_in, shortcomings

WIRE = Check("wire-schema-valid", "SUCCESS")
PING = Check("ping", "SUCCESS")


def leave(folder: Path, scenario: str, *statuses: str) -> None:
    """As the suite leaves a scenario's checks."""
    place = folder / f"server-{scenario}-2026-11-21T08-17-55-919Z"
    place.mkdir()
    checks = [{"id": f"{scenario}-{n}", "status": each} for n, each in enumerate(statuses)]
    (place / "checks.json").write_text(json.dumps(checks))


def test_results_are_found_by_the_name_of_their_scenario(tmp_path: Path) -> None:
    leave(tmp_path, "ping", "SUCCESS", "INFO")
    leave(tmp_path, "json-schema-2020-12", "FAILURE")
    assert findings_in(tmp_path) == {
        "ping": [Check("ping-0", "SUCCESS"), Check("ping-1", "INFO")],
        "json-schema-2020-12": [Check("json-schema-2020-12-0", "FAILURE")],
    }


def test_all_that_was_wanted_passed() -> None:
    findings = {"ping": [PING, WIRE, Check("outgoing-request", "INFO")], "other": [WIRE]}
    assert shortcomings(findings, ["ping"]) == []


@pytest.mark.parametrize("status", ["FAILURE", "WARNING", "SKIPPED", "UNHEARD_OF"])
def test_one_bad_check_is_enough(status: str) -> None:
    findings = {"ping": [PING, Check("wire-schema-valid", status, "id is null")], "other": [WIRE]}
    expected = [f"ping: wire-schema-valid: {status} id is null"]
    assert shortcomings(findings, ["ping", "other"]) == expected


def test_a_scenario_that_did_not_run_is_told() -> None:
    assert shortcomings({"ping": [PING]}, ["tools-list", "ping"]) == ["tools-list: did not run"]


@pytest.mark.parametrize("checks", [[], [Check("session", "INFO")]])
def test_a_scenario_that_looked_at_nothing_has_not_passed(checks: list[Check]) -> None:
    assert shortcomings({"ping": checks}, ["ping"]) == ["ping: nothing was checked"]


def test_what_is_not_wanted_may_fail() -> None:
    findings = {"tasks-lifecycle": [Check("tasks", "FAILURE")], "ping": [PING]}
    assert shortcomings(findings, ["ping"]) == []
