"""What `openenv-lite new` writes is served, played and put to the test: as a package and flat."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from openenv_lite.cli.commands import cli
from openenv_lite.cli.templates import ARCHETYPES
from tests.cli.process import serving
from tests.templates.container import without_ours
from tests.templates.shipping import (
    expect_a_healthy_server,
    expect_a_small_image,
    expect_two_services,
)

ROOT = Path(__file__).parents[2]
WAREHOUSE = ("--wrap", "tests.templates.warehouse:Warehouse")
KINDS = {**{each: ("--archetype", each) for each in ARCHETYPES}, "wrapped": WAREHOUSE}
PACKAGES = [f"{kind}_env" for kind in KINDS]

every_package = pytest.mark.parametrize("name", PACKAGES)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a package of every kind."""
    home = tmp_path_factory.mktemp("home")
    for kind, options in KINDS.items():
        made = CliRunner().invoke(cli, ["new", f"{kind}_env", *options, "--into", str(home)])
        assert made.exit_code == 0, made.output
    return home


def roll_out(folder: Path, url: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "rollout.py"],
        cwd=folder,
        env={**without_ours(), "ENV_URL": url, "MAX_TURNS": "3"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@every_package
def test_it_is_served_as_a_package_and_plays_three_turns(home: Path, name: str) -> None:
    with serving(str(home / name), PYTHONPATH=str(ROOT)) as server:
        assert f"({home / name}) in simulation mode" in server.line
        assert httpx.get(f"{server.url}/health").json() == {"status": "healthy"}
        assert httpx.get(f"{server.url}/list_environments").json() == [name]
        played = roll_out(home / name, server.url)
    assert played.returncode == 0, played.stderr
    turns = re.findall(r"^(\d+)\. ", played.stdout, re.MULTILINE)
    assert turns == ["1", "2", "3"][: len(turns)]
    assert turns


def test_without_a_server_a_rollout_says_to_start_one(home: Path) -> None:
    for name in ("game_env", "dataset_env"):
        missed = roll_out(home / name, "http://127.0.0.1:9")
        assert missed.returncode == 1
        assert missed.stderr.endswith("Start the server first: openenv-lite serve .\n")
        assert "Traceback" not in missed.stderr


@every_package
def test_its_dockerfiles_steps_lead_to_a_healthy_server(
    home: Path, name: str, tmp_path: Path
) -> None:
    expect_a_healthy_server(home / name, tmp_path, outside(home / name))


def outside(folder: Path) -> dict[str, str]:
    """A wrapped class comes from elsewhere, as from a package that is installed."""
    wrapped = "tests.templates" in (folder / "pyproject.toml").read_text()
    return {"PYTHONPATH": str(ROOT)} if wrapped else {}


@every_package
def test_its_image_is_small_and_its_user_is_not_root(home: Path, name: str, tmp_path: Path) -> None:
    expect_a_small_image(home / name, tmp_path)


@every_package
def test_both_services_are_of_one_image_and_differ_in_mode(home: Path, name: str) -> None:
    expect_two_services(home / name)


def test_contracts_are_kept(home: Path) -> None:
    """By pytest as their authors run it, one process for each core of a small machine."""
    with trying(home, PACKAGES[::2]) as some, trying(home, PACKAGES[1::2]) as others:
        for process in (some, others):
            told, _ = process.communicate(timeout=200)
            assert process.returncode == 0, told


def trying(home: Path, packages: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *packages],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
