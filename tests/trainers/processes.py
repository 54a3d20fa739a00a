"""What runs where TRL is, in a process of its own."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

__all__ = ["run"]

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "tests" / "trainers" / "with_trl" / "published"
"""Interfaces of what cannot be installed."""


def run(python: Path, module: str, *arguments: str) -> Any:
    """What a module prints at last, as JSON; fails with what it complained of."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, PUBLISHED))),
        "HF_HUB_OFFLINE": "1",
        "TRL_EXPERIMENTAL_SILENCE": "1",
    }
    done = subprocess.run(
        [python, "-m", module, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    return json.loads(done.stdout.splitlines()[-1])
