"""What `import openenv_lite` costs: wall time of a fresh interpreter, less that of a bare one."""

import functools
import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.figures import Bench, Figures, Ratio, absent, measure, ratio
from benchmarks.machine import ROOT, original_python

__all__ = ["run_imports"]

TENTH = 0.1
COUNT_STARLETTE = (
    "import sys, openenv_lite; print(sum('starlette' in name for name in sys.modules))"
)
OURS = ["import openenv_lite", "from openenv_lite import Environment"]
OURS += ["from openenv_lite import create_app", "from openenv_lite.client import GenericEnvClient"]
THEIRS = ["import openenv", "import openenv.core.env_server"]
THEIRS += ["from openenv.core import GenericEnvClient"]


def run_imports(seconds: float, rounds: int) -> list[Bench]:
    """`seconds` has no meaning here: an import takes as long as it takes."""
    runs = _runs()
    for run in runs.values():
        run()
    figures = [Figures(name, values) for name, values in measure(runs, rounds).items()]
    figures += absent(name for name in THEIRS if name not in runs)
    bench = Bench("imports", "Import time, above a bare interpreter", "ms", figures)
    everything = THEIRS[1:2]
    bench.ratios = [
        ratio(bench, OURS[0], everything, bar=TENTH, at_least=False),
        ratio(bench, OURS[1], everything, bar=TENTH, at_least=False),
        ratio(bench, OURS[2], everything),
        ratio(bench, OURS[3], THEIRS[2:]),
        Ratio("starlette modules after import openenv_lite", [_starlette()], 0, at_least=False),
    ]
    return [bench]


def _runs() -> dict[str, Callable[[], float]]:
    original = original_python()
    installed = [(sys.executable, OURS)] + ([(original, THEIRS)] if original else [])
    return {
        statement: functools.partial(_cost, python, statement)
        for python, statements in installed
        for statement in statements
    }


def _cost(python: str, statement: str) -> float:
    """Milliseconds."""
    bare = _wall(python, "pass")
    return 1000 * (_wall(python, statement) - bare)


def _wall(python: str, statement: str) -> float:
    began = time.perf_counter()
    subprocess.run([python, "-c", statement], cwd=ROOT, check=True)
    return time.perf_counter() - began


def _starlette() -> float:
    command = [sys.executable, "-c", COUNT_STARLETTE]
    return float(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
