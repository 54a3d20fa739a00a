"""A package's files and its manifest."""

import os
from pathlib import Path

import pytest
import yaml

from tests.validation.packages import fault_of, replace, told_by, written


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path)


def manifest_with(folder: Path, **more: object) -> None:
    """The manifest with other fields; None takes one away."""
    path = folder / "openenv.yaml"
    fields = {**yaml.safe_load(path.read_text()), **more}
    path.write_text(yaml.safe_dump({key: fields[key] for key in fields if fields[key] is not None}))


def block(**more: object) -> dict[str, object]:
    """A `validation` block as `openenv init` writes it, with other parts."""
    return {
        "reward": {"range": [0.0, 1.0], "oracle_tolerance": 0.0, "floor_margin": 0.1},
        "resources": {"cpu": 1, "memory_mb": 1024, "disk_mb": 512, "episode_timeout_s": 60.0},
        "capabilities": {"verifier": {"kind": "reward_channel"}},
        "types": {"tags": ["demo"]},
        **more,
    }


def test_a_written_package_has_all_files_and_a_manifest(folder: Path) -> None:
    assert told_by(folder, "layout") == "all there"
    assert told_by(folder, "manifest").startswith("maze_env, app server.app:app")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("openenv.yaml", "openenv.yaml: missing"),
        ("README.md", "README.md: missing"),
        ("Dockerfile", "Dockerfile: missing"),
        ("server/app.py", "server/app.py: missing"),
    ],
)
def test_a_missing_file_is_named(folder: Path, path: str, told: str) -> None:
    (folder / path).unlink()
    fault = fault_of(folder, "layout")
    assert fault.fault == told
    assert "openenv-lite new" in fault.remedy


def test_a_dockerfile_may_be_the_servers(folder: Path) -> None:
    (folder / "Dockerfile").rename(folder / "server" / "Dockerfile")
    assert told_by(folder, "layout") == "all there"


def test_links_and_special_files_are_refused_but_where_nothing_is_shipped(folder: Path) -> None:
    (folder / ".venv").mkdir()
    (folder / ".venv" / "python").symlink_to("/usr/bin/env")
    assert told_by(folder, "layout") == "all there"
    (folder / "server" / "data").symlink_to(folder)
    os.mkfifo(folder / "queue")
    fault = fault_of(folder, "layout")
    assert fault.fault.startswith("queue, server/data: neither files nor folders")
    assert "Copy in what they stand for" in fault.remedy


@pytest.mark.parametrize(
    ("text", "told", "remedy"),
    [
        ("", "is no mapping", "key: value"),
        ("- name", "is no mapping", "key: value"),
        ("name: [", "is no YAML", "at that place"),
        ("name: a\n\tport: 8000", "is no YAML", "at that place"),
        ("name: \x00", "is no YAML", "at that place"),
        ("a: " + "x" * 2**20, "larger than 1 MiB", "files of their own"),
    ],
)
def test_what_is_no_manifest_is_told(folder: Path, text: str, told: str, remedy: str) -> None:
    (folder / "openenv.yaml").write_text(text)
    fault = fault_of(folder, "manifest")
    assert told in fault.fault
    assert remedy in fault.remedy


def test_bytes_that_are_no_text_are_no_manifest(folder: Path) -> None:
    (folder / "openenv.yaml").write_bytes(b"name: \xff")
    assert "is no YAML" in fault_of(folder, "manifest").fault


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": None}, "name: missing"),
        ({"name": 3}, "name: expected `str`, got `int`"),
        ({"spec_version": 2}, "spec_version: invalid enum value 2"),
        ({"version": 0.1}, "version: expected `str`, got `float`"),
        ({"port": 80000}, "port: expected `int` <= 65535"),
        ({"port": "8000"}, "port: expected `int`, got `str`"),
        ({"prot": 8000}, "prot: nobody reads this; `port` is meant"),
        ({"variables": ["A=1"]}, "variables: expected `object`, got `array`"),
        ({"app": "server/app.py"}, "app: expected MODULE:NAME, as in server.app:app"),
        ({"app": "server.main:app"}, "app: there is no server/main.py"),
        ({"validation": []}, "validation: expected `object`, got `array`"),
    ],
)
def test_a_wrong_field_is_told(folder: Path, fields: dict[str, object], told: str) -> None:
    manifest_with(folder, **fields)
    fault = fault_of(folder, "manifest")
    assert fault.fault == told
    assert "maze_env/openenv.yaml" in fault.remedy


def test_every_fault_is_told_at_once(folder: Path) -> None:
    manifest_with(folder, name=None, port=0)
    assert fault_of(folder, "manifest").fault == "name: missing; port: expected `int` >= 1"


def test_what_nobody_reads_is_noted_and_no_fault(folder: Path) -> None:
    manifest_with(folder, maintainer="me", action="Guess", validation=None)
    told = told_by(folder, "manifest")
    assert "nobody reads maintainer" in told
    assert "`action` and `observation` only together" in told
    assert "`openenv validate` wants a `validation` block too" in told


def test_a_block_for_validation_as_openenv_writes_it_is_in_order(folder: Path) -> None:
    judge = {"model": "m", "version": "1", "params": {"temperature": 0}}
    reward = {"floor_margin": 0.2, "variance_tolerance": 0.2}
    oracle = {"form": "injected_state", "location": "solution/state.json"}
    capable = {
        **{"verifier": {"kind": "script", "entry": "tests/test.sh"}, "oracle": oracle},
        **{"set_state": True, "llm_judged": True, "declared_task_count": {"train": 3}},
    }
    listed = {"mode": "allowlist", "allowed_hosts": ["example.com"]}
    full = block(judge=judge, reward=reward, capabilities=capable, network=listed, execution={})
    for fields in (block(), full):
        manifest_with(folder, validation=fields)
        assert told_by(folder, "manifest") == "maze_env, app server.app:app"


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"reward": {}}, "validation.reward: object missing required field `floor_margin`"),
        ({"reward": None}, "validation.reward: missing"),
        ({"rewards": {}}, "validation.rewards: no part of a manifest"),
        (
            {"reward": {"floor_margin": 0.05}},
            "validation.reward.floor_margin: expected `float` >= 0.1",
        ),
        (
            {"reward": {"floor_margin": 1, "margin": 1}},
            "validation.reward: object contains unknown field `margin`",
        ),
        (
            {"reward": {"floor_margin": 0.1, "range": [1, 0]}},
            "validation.reward: the second end of `range` must be above the first",
        ),
        (
            {"reward": {"floor_margin": 0.1, "oracle_tolerance": 0.2}},
            "validation.reward.oracle_tolerance: expected `float` <= 0.1",
        ),
        (
            {"resources": {"cpu": 1, "memory_mb": 1, "disk_mb": 1, "episode_timeout_s": 3601}},
            "validation.resources.episode_timeout_s: expected `float` <= 3600.0",
        ),
        ({"types": {"tags": []}}, "validation.types.tags: expected `array` of length >= 1"),
        (
            {"network": {"mode": "allowlist"}},
            "validation.network: `allowed_hosts` and mode `allowlist` want each other",
        ),
        (
            {"capabilities": {"verifier": {"kind": "script"}}},
            "validation.capabilities.verifier: `entry` and kind `script` want each other",
        ),
        (
            {"capabilities": {"verifier": {"kind": "script", "entry": "../test.sh"}}},
            "validation.capabilities.verifier: '../test.sh' must be a path inside the folder, "
            "with slashes and no `..`",
        ),
        (
            {"judge": {"model": "m", "version": "1"}},
            "validation: `judge` and `capabilities.llm_judged: true` want each other",
        ),
    ],
)
def test_a_fault_in_the_block_for_validation_is_told(
    folder: Path, parts: dict[str, object], told: str
) -> None:
    manifest_with(folder, validation=block(**parts))
    assert fault_of(folder, "manifest").fault == told


def test_without_an_app_in_the_manifest_it_is_where_openenv_has_it(folder: Path) -> None:
    replace(folder / "openenv.yaml", "app: server.app:app\n", "")
    assert "app server.app:app" in told_by(folder, "manifest")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with names")
def test_a_manifest_that_never_ends_is_not_read(folder: Path) -> None:
    path = folder / "openenv.yaml"
    path.unlink()
    path.symlink_to("/dev/zero")
    assert fault_of(folder, "manifest").fault == "openenv.yaml is no file"
    path.unlink()
    os.mkfifo(path)
    assert fault_of(folder, "manifest").fault == "openenv.yaml is no file"


def test_mappings_that_swell_when_merged_are_refused(folder: Path) -> None:
    lines = ["name: maze_env", "m0: &m0 {a: 1}"]
    for each in range(1, 12):
        lines.append(f"m{each}: &m{each} {{<<: [{', '.join([f'*m{each - 1}'] * 10)}]}}")
    (folder / "openenv.yaml").write_text("\n".join(lines))
    assert "merged grow too large" in fault_of(folder, "manifest").fault
