"""A package that `openenv init` writes is validated unmodified, beside an installed `openenv`."""

import json
import os
import subprocess
from pathlib import Path

from tests.cli.process import ROOT
from tests.validation.packages import NAME, written

TRIED = ("layout", "manifest", "flat_import")
"""How our server serves it is `tests/interop`'s matter: to import `openenv` takes seconds."""

SCRIPT = f"""
import json
from pathlib import Path
from tests.validation.packages import verdicts_of
print(json.dumps(verdicts_of(Path({NAME!r}), *{TRIED!r})))
"""


def test_what_we_write_passes_openenvs_own_check_of_manifests(
    openenv_python: Path, tmp_path: Path
) -> None:
    folder = str(written(tmp_path))
    check = [str(openenv_python), "-m", "openenv.cli", "validate", folder, "--level", "static"]
    done = subprocess.run(check, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    assert "PASS  static.manifest" in done.stdout


def test_openenvs_template_passes(openenv_python: Path, tmp_path: Path) -> None:
    init = [str(openenv_python), "-m", "openenv.cli", "init", NAME]
    subprocess.run(init, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    ended = subprocess.run(
        [openenv_python, "-c", SCRIPT],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    told = {name: verdict[0] for name, verdict in json.loads(ended.stdout).items()}
    assert told == {
        "layout": "all there",
        "manifest": f"{NAME}, app server.app:app",
        "flat_import": "server.app",
    }
