"""A package that is imported, served and played; and what is said where that goes wrong."""

from pathlib import Path

import pytest

from openenv_lite.validation.gate import Skipped
from openenv_lite.validation.site import Limits
from tests.validation.packages import fault_of, replace, told_by, verdicts_of, written

APP = "server/app.py"
RULES = "server/maze_environment.py"
BOTH_WAYS = "Import neighbours in both ways"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path)


def add(folder: Path, path: str, text: str) -> None:
    with (folder / path).open("a") as file:
        file.write(text)


def test_a_package_without_the_file_of_its_app_cannot_be_imported(folder: Path) -> None:
    (folder / APP).unlink()
    fault = fault_of(folder, "package_import")
    assert fault.fault == "There is no module maze_env.server.app"
    assert fault.remedy == "Write server/app.py, or name another `app` in openenv.yaml"
    behind = verdicts_of(folder, "package_import", "server_start", "rollout", "contract_laws")
    for name in ("server_start", "rollout", "contract_laws"):
        assert behind[name] == Skipped("it proves nothing while package_import fails")


@pytest.mark.parametrize(
    "wrong", ["from ..models import Guess\n", "from maze_env.models import Guess\n"]
)
def test_an_import_that_works_in_the_repository_alone_fails_flat(folder: Path, wrong: str) -> None:
    replace(folder / RULES, "from typing import Literal\n", f"from typing import Literal\n{wrong}")
    assert told_by(folder, "package_import") == "maze_env.server.app"
    assert fault_of(folder, "flat_import").remedy.startswith(BOTH_WAYS)


def test_an_import_that_works_flat_alone_fails_in_the_repository(folder: Path) -> None:
    replace(folder / RULES, "from typing", "from models import Guess\nfrom typing")
    assert told_by(folder, "flat_import") == "server.app"
    fault = fault_of(folder, "package_import")
    assert "models" in fault.fault
    assert fault.remedy.startswith(BOTH_WAYS)


def test_a_dependency_that_is_not_installed_is_named(folder: Path) -> None:
    add(folder, APP, "import chess_rules.openings\n")
    fault = fault_of(folder, "package_import")
    assert "needs chess_rules" in fault.fault
    assert fault.remedy.startswith("Install chess_rules here")
    assert "pyproject.toml" in fault.remedy


@pytest.mark.parametrize(
    ("code", "told", "remedy"),
    [
        ("1 / 0\n", "ZeroDivisionError: division by zero", "shows the whole traceback"),
        ("import sys\nsys.exit('no licence')\n", "exit code 1: no licence", "Leave to `main`"),
        ("import os\nos._exit(3)\n", "exit code 3: it said nothing", "Leave to `main`"),
        ("app = 3\n", "maze_env.server.app:app is no ASGI app, but of type int", "Mend that"),
    ],
)
def test_an_app_that_cannot_be_imported_is_told(
    folder: Path, code: str, told: str, remedy: str
) -> None:
    add(folder, APP, code)
    fault = fault_of(folder, "package_import")
    assert told in fault.fault
    assert remedy in fault.remedy
    assert "openenv_lite/validation" not in fault.fault + fault.details


def test_what_an_app_prints_on_import_harms_nothing(folder: Path) -> None:
    add(folder, APP, "print('hello')\nimport os\nos.system('echo hello')\n")
    assert told_by(folder, "package_import") == "maze_env.server.app"


def test_an_import_that_does_not_end_is_stopped(folder: Path) -> None:
    add(folder, APP, "import time\ntime.sleep(1000)\n")
    fault = fault_of(folder, "package_import", limits=Limits(program_s=1.0))
    assert fault.fault == "maze_env.server.app was still being imported after 1 s"
    assert "--timeout" in fault.remedy


def test_a_folder_that_is_no_package_is_imported_and_served_flat(folder: Path) -> None:
    (folder / "__init__.py").unlink()
    found = verdicts_of(folder, "package_import", "flat_import", "server_start")
    assert found.pop("package_import") == Skipped(
        "the folder has no __init__.py, so it is imported flat alone"
    )
    assert [type(verdict).__name__ for verdict in found.values()] == ["Passed", "Passed"]


@pytest.mark.parametrize(
    ("lifespan", "told"),
    [
        ("raise RuntimeError('no database')", "exit code 3"),
        ("import os; os._exit(5)", "exit code 5"),
    ],
)
def test_a_server_that_dies_at_start_is_told(folder: Path, lifespan: str, told: str) -> None:
    code = f"async def dying(app):\n    {lifespan}\n    yield\n"
    code += (
        "import contextlib\napp.router.lifespan_context = contextlib.asynccontextmanager(dying)\n"
    )
    add(folder, APP, code)
    fault = fault_of(folder, "package_import", "server_start")
    assert told in fault.fault
    assert f"see for yourself with `openenv-lite serve {folder}`" in fault.remedy


def test_a_server_that_is_not_there_in_time_is_told(folder: Path) -> None:
    add(folder, APP, "import time\ntime.sleep(1000)\n")
    fault = fault_of(folder, "server_start", limits=Limits(program_s=1.0))
    assert fault.fault == "No server after 1 s"


def test_what_the_shell_sets_is_not_the_packages(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENABLE_WEB_INTERFACE", "perhaps")
    monkeypatch.setenv("OPENENV_MAX_SNAPSHOTS", "many")
    assert told_by(folder, "package_import", "server_start").startswith("healthy at ")


def test_a_name_that_differs_from_the_manifests_is_told(folder: Path) -> None:
    replace(folder / APP, 'env_name="maze_env"', 'env_name="labyrinth"')
    fault = fault_of(folder, "server_start", "environment_listed")
    assert fault.fault == "The manifest says 'maze_env', the server ['labyrinth']"
    assert "create_app(..., env_name='maze_env') in server/app.py" in fault.remedy


def test_without_a_name_in_the_manifest_there_is_nothing_to_compare(folder: Path) -> None:
    replace(folder / "openenv.yaml", "name: maze_env\n", "")
    found = verdicts_of(folder, "server_start", "environment_listed")
    assert found["environment_listed"] == Skipped("the manifest names nothing")


def test_a_rollout_that_fails_is_told_with_what_it_said(folder: Path) -> None:
    replace(folder / "rollout.py", "    agent = Agent()\n", "    raise ValueError('no model')\n")
    fault = fault_of(folder, "server_start", "rollout")
    assert fault.fault == "rollout.py ended with exit code 1: ValueError: no model"
    assert "MAX_TURNS=3 ENV_URL=http://localhost:8000 python rollout.py" in fault.remedy
    assert "line" in fault.details
    assert "openenv_lite/validation" not in fault.details


def test_a_rollout_that_never_ends_is_stopped_with_all_that_it_started(folder: Path) -> None:
    pids = folder / "pids"
    endless = (
        "import os, subprocess, time\n"
        "child = subprocess.Popen(['sleep', '1000'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "while True:\n    print('x' * 65536)\n"
    )
    (folder / "rollout.py").write_text(endless)
    fault = fault_of(folder, "rollout", limits=Limits(program_s=1.0))
    assert fault.fault == "rollout.py still ran after 1 s"
    assert "MAX_TURNS" in fault.remedy
    for pid in pids.read_text().split():
        assert not is_running(pid)


def is_running(pid: str) -> bool:
    state = Path("/proc", pid, "stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_without_a_rollout_there_is_nothing_to_run(folder: Path) -> None:
    (folder / "rollout.py").unlink()
    assert verdicts_of(folder, "rollout")["rollout"] == Skipped("the folder has no rollout.py")


def test_tools_that_differ_from_the_declared_ones_are_told(tmp_path: Path) -> None:
    folder = written(tmp_path, "sandbox")
    add(folder, "openenv.yaml", "validation: {capabilities: {declared_tools: [task]}}\n")
    fault = fault_of(folder, "server_start", "tool_discovery")
    assert fault.fault.startswith("The manifest declares task, and there are delete, list_files,")
    assert "declared_tools" in fault.remedy


def test_typed_actions_are_told_by_their_fields(folder: Path) -> None:
    assert told_by(folder, "server_start", "tool_discovery") == "typed actions: number (integer)"


def test_a_package_that_is_in_production_what_it_is_in_training_is_refused(folder: Path) -> None:
    replace(folder / APP, 'env_name="maze_env"', 'env_name="maze_env", mode="simulation"')
    fault = fault_of(folder, "server_start", "production")
    assert "fixes its mode and has control routes" in fault.fault


def test_a_control_that_is_left_in_production_is_told(folder: Path) -> None:
    add(
        folder,
        APP,
        "from starlette.responses import JSONResponse\n"
        "app.router.add_route('/step', lambda request: JSONResponse({}), ['POST'])\n",
    )
    fault = fault_of(folder, "server_start", "production")
    assert fault.fault == "In production there are /step"
    assert "OPENENV_MODE" in fault.remedy


def test_a_broken_law_is_told_with_its_counterexample(folder: Path) -> None:
    replace(folder / RULES, "reward=0.0, done", "reward=float('nan'), done")
    fault = fault_of(folder, "contract_laws", limits=Limits(laws_s=3.0))
    assert "rewards_are_finite" in fault.fault
    assert f"`openenv-lite check {folder}` tests the laws alone" in fault.remedy
    assert "env.step({'number': 1})" in fault.details


def test_laws_that_no_time_is_left_for_are_counted(folder: Path) -> None:
    told = told_by(folder, "contract_laws", limits=Limits(laws_s=0.001))
    assert "0 broken" in told
    assert "for want of time: give --budget" in told


def test_an_environment_whose_calls_do_not_return_is_stopped(folder: Path) -> None:
    replace(
        folder / RULES, "        world = self.world\n", "        while True:\n            pass\n"
    )
    fault = fault_of(folder, "contract_laws", limits=Limits(program_s=1.0, laws_s=0.2))
    assert fault.fault == "The laws were still being tested after 2.2 s"


def test_without_hypothesis_the_laws_are_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert verdicts_of(folder, "contract_laws")["contract_laws"] == Skipped(
        "it needs Hypothesis: run pip install 'openenv-lite[testing]'"
    )
