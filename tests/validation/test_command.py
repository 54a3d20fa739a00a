"""`openenv-lite validate` as a person or CI has it: what it prints, its exit code, its end."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from openenv_lite.cli.commands import cli
from openenv_lite.validation import trial
from openenv_lite.validation.trial import PACKAGE_GATES
from tests.cli.process import COMMAND, ROOT
from tests.validation.packages import replace, written


def validate(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["validate", *arguments])


@pytest.fixture
def _without_laws(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take longest."""
    monkeypatch.setattr(trial, "PACKAGE_GATES", PACKAGE_GATES[:-1])


without_laws = pytest.mark.usefixtures("_without_laws")


def test_a_package_that_is_ready_passes_every_gate_and_nothing_is_left(tmp_path: Path) -> None:
    folder = written(tmp_path)
    ended = validate(str(folder), "--budget", "0.5")
    assert ended.exit_code == 0, ended.output
    for gate in PACKAGE_GATES:
        assert re.search(rf"│ {gate.name} +│ passed ", ended.output), gate.name
    assert ended.output.endswith(f"\n{len(PACKAGE_GATES)} passed, 0 failed, 0 skipped\n")
    assert not those_about(folder)


@without_laws
def test_a_line_without_end_is_cut_in_the_table(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / "server" / "app.py").write_text("raise SystemExit('\\x1b[31m' * 1_000_000)\n")
    ended = validate(str(folder))
    assert ended.exit_code == 1
    assert "… (--json tells all)" in re.sub(r"[\s│]+", " ", ended.output)
    assert len(ended.output) < 300_000


@without_laws
def test_one_that_is_not_fails_with_a_table_and_what_to_do(tmp_path: Path) -> None:
    folder = written(tmp_path)
    replace(folder / "server" / "app.py", 'env_name="maze_env"', 'env_name="[bold]\\x1b[2J"')
    (folder / "README.md").unlink()
    ended = validate(str(folder))
    assert ended.exit_code == 1
    assert re.search(r"│ layout +│ failed +│ README.md: missing ", ended.output)
    assert "\n  what to do: Add what is missing; `openenv-lite new NAME" in ended.output
    assert "[bold]" in ended.output
    assert "\x1b" not in ended.output
    assert "13 passed, 2 failed, 0 skipped" in ended.output
    assert "Traceback" not in ended.output


@without_laws
def test_a_report_for_programs(tmp_path: Path) -> None:
    folder = written(tmp_path)
    replace(folder / "rollout.py", "import os\n", "import os, no_such_module\n")
    ended = validate(str(folder), "--json")
    assert ended.exit_code == 1
    report = json.loads(ended.stdout)
    assert report["target"] == str(folder)
    assert (report["ready"], report["counts"]) == (False, {"passed": 14, "failed": 1, "skipped": 0})
    assert [each["gate"] for each in report["gates"]] == [gate.name for gate in PACKAGE_GATES[:-1]]
    (failed,) = (each for each in report["gates"] if each["verdict"] == "failed")
    assert failed["gate"] == "rollout"
    assert "no_such_module" in failed["fault"]
    assert failed["remedy"]
    assert failed["details"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Missing argument"),
        (("no_such_folder",), "'no_such_folder' is no folder: name an environment's folder, or"),
        (("README.md",), "'README.md' is no folder"),
        (("ftp://localhost/",), "is no folder"),
        (("localhost:8000",), "as in http://localhost:8000"),
        (("http://",), "'http://' is no URL of a server"),
        (("http://localhost:port",), "is no URL of a server"),
        (("envs/echo_env", "--budget", "0"), "--budget"),
        (("envs/echo_env", "--timeout", "soon"), "--timeout"),
    ],
)
def test_a_wrong_call_is_refused_in_one_line(arguments: tuple[str, ...], said: str) -> None:
    ended = validate(*arguments)
    assert ended.exit_code == 2
    assert len(ended.stderr.splitlines()) == 1
    assert said in ended.stderr
    assert not ended.stdout


def test_without_what_reads_yaml_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "yaml.py").write_text("raise ModuleNotFoundError('gone', name='yaml')\n")
    ended = subprocess.run(
        [*COMMAND, "validate", "envs/echo_env"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path[1:]])},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "openenv-lite: validate needs yaml: run pip install 'openenv-lite[validate]'\n"
    )


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_what_it_has_started_ends_with_it(tmp_path: Path, name: str, code: int) -> None:
    folder = written(tmp_path)
    slow = "import os, time\nopen('begun', 'w').write(str(os.getpid()))\ntime.sleep(1000)\n"
    (folder / "rollout.py").write_text(slow)
    with subprocess.Popen(
        [*COMMAND, "validate", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_interruptible,
    ) as process:
        wait_for(folder / "begun")
        assert len(those_about(folder)) == 3  # itself, the server, and the rollout
        process.send_signal(getattr(signal, name))
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (code, "")
    assert "Traceback" not in err
    assert not those_about(folder)


def _interruptible() -> None:
    """Whoever starts the tests in the background of a shell has all that they start ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(path: Path) -> None:
    until = time.monotonic() + 40
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < until
        time.sleep(0.02)


def those_about(folder: Path) -> list[str]:
    """Ids of processes that were told of the folder, or run in it."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            told = (place / "cmdline").read_bytes().decode(errors="replace")
            if str(folder) in told or str(folder) == os.readlink(place / "cwd"):
                found.append(place.name)
        except OSError:  # it has ended meanwhile
            continue
    return found
