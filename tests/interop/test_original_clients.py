"""The original's clients drive our server and see what they see at their own."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.interop.processes import Driver, Fleet

SAME = [
    "generic",
    "generic_sync",
    "typed",
    "typed_sync",
    "errors",
    "capacity",
    "factory",
    "new_session",
    "new_session_sync",
    "many",
    "tools_sync",
    "tools_in_production",
    "tools_new_session",
    "tools_at_capacity",
]


@pytest.mark.parametrize("scenario", SAME)
def test_they_see_the_same_at_both_servers(
    driver: Driver, original: Fleet, ours: Fleet, scenario: str
) -> None:
    assert driver.play(scenario, ours) == driver.play(scenario, original)


def test_tools_give_the_same_but_for_fastmcps_own_mark(
    driver: Driver, original: Fleet, ours: Fleet
) -> None:
    expected = driver.play("tools", original)
    seen = driver.play("tools", ours)
    step = next(
        each
        for each in expected
        if isinstance(each, dict) and "observation" in each and "tool_name" in each["observation"]
    )
    assert step["observation"]["result"].pop("meta") == {"fastmcp": {"wrap_result": True}}
    mine = seen[expected.index(step)]
    assert mine["observation"]["result"].pop("meta") is None
    assert seen == expected


def test_failed_tool_calls_raise_and_leave_the_session_alone(driver: Driver, ours: Fleet) -> None:
    unknown, mistyped, missing, after = driver.play("tool_errors", ours)
    assert unknown == {
        "error": "RuntimeError",
        "message": "Tool 'dance' failed: Unknown tool: 'dance'",
    }
    assert {mistyped["error"], missing["error"]} == {"RuntimeError"}
    assert "'a'" in mistyped["message"]
    assert "`a`" in missing["message"]
    assert after == 3


def test_a_tool_without_a_docstring_is_listed_where_the_original_loses_all_tools(
    driver: Driver, original: Fleet, ours: Fleet
) -> None:
    assert driver.play("tools_without_docstrings", original) == [[], 1]
    (tool,), result = driver.play("tools_without_docstrings", ours)
    assert (tool["name"], tool["description"], result) == ("hush", "", 1)


@pytest.fixture(scope="module")
def reports(original_python: Path, ours: Fleet) -> dict[str, Any]:
    """What `openenv validate --url` says of our server in each mode; both run at once."""
    command = [str(original_python), "-m", "openenv.cli", "validate", "--json", "--url"]
    runs = {
        app: subprocess.Popen([*command, ours.urls[app]], stdout=subprocess.PIPE, text=True)
        for app in ("plain", "tools", "plain_production", "tools_production")
    }
    return {
        app: {**json.loads(run.communicate()[0]), "exit": run.returncode}
        for app, run in runs.items()
    }


@pytest.mark.parametrize(
    ("app", "mode"),
    [
        ("plain", "simulation"),
        ("tools", "simulation"),
        ("plain_production", "production"),
        ("tools_production", "production"),
    ],
)
def test_openenv_validate_passes_all_six_checks(
    reports: dict[str, Any], app: str, mode: str
) -> None:
    report = reports[app]
    assert report["summary"]["failed_criteria"] == []
    assert (report["exit"], report["mode"]) == (0, mode)
    assert (report["summary"]["passed_count"], report["summary"]["total_count"]) == (6, 6)
