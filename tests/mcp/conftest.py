"""The official suite, fetched once a session."""

import subprocess

import pytest

from tests.mcp.suite import Suite, fetch_suite


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    try:
        return fetch_suite(tmp_path_factory.mktemp("npx"))
    except (LookupError, subprocess.TimeoutExpired) as error:
        pytest.fail(f"The official conformance suite could not be had. {error}")
