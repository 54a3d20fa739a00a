"""Every folder of `envs/` is a whole environment."""

import asyncio
import importlib
import re
import tomllib
from pathlib import Path

import pytest

from openenv_lite import GenericEnvClient, MCPToolClient, create_app
from openenv_lite.cli.episodes import play
from openenv_lite.cli.policies import policy_named
from openenv_lite.loading import Plan
from openenv_lite.types import ServerMode
from tests.client.serving import serve

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(each for each in (ROOT / "envs").iterdir() if (each / "__init__.py").exists())

every_environment = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def test_there_are_environments_and_the_wheel_ships_them() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shipped = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {f"envs/{folder.name}" for folder in FOLDERS} == set(shipped) - {"openenv_lite"}
    assert len(FOLDERS) >= 2


@every_environment
def test_has_what_a_folder_must_have(folder: Path) -> None:
    for name in ("README.md", "openenv.yaml", "test_contract.py", "server/app.py"):
        assert (folder / name).is_file(), name
    manifest = dict(line.split(": ") for line in (folder / "openenv.yaml").read_text().splitlines())
    assert manifest["spec_version"] == "1"
    assert manifest["name"] == folder.name
    assert manifest["app"] == "server.app:app"


@every_environment
def test_is_importable_under_its_own_name(folder: Path) -> None:
    module = importlib.import_module(folder.name)
    assert module.__all__
    assert Path(module.__file__ or "").parent == folder


@every_environment
def test_is_served_from_its_folder_and_steps_by_a_random_policy(folder: Path) -> None:
    async def episode(url: str) -> None:
        client = GenericEnvClient(base_url=url)
        policy = await policy_named("random", client)
        played = await play(client, policy, seed=1, max_steps=20)
        await client.close()
        assert played.error is None
        assert played.actions

    with serve(Plan(target=str(folder), max_concurrent_envs=4).app()) as url:
        asyncio.run(episode(url))


@every_environment
def test_the_examples_of_its_readme_run(folder: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, str(folder / "README.md"), "exec"), {})


def test_production_keeps_its_own_tools() -> None:
    kind = importlib.import_module("echo_env").EchoEnvironment
    with (
        serve(create_app(kind, mode=ServerMode.PRODUCTION)) as url,
        MCPToolClient(base_url=url).sync() as client,
    ):
        assert client.call_tool("echo_loudly", message="hello") == "HELLO"
