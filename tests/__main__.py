"""The one command: `python -m tests` runs format, lint, types and tests, in this order.

It stops at the first that fails, and passes its own arguments on to pytest, which runs the tests in
as many processes as there are cores: `-n 0` runs them in one.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TYPED = ["openenv_lite", "tests", "envs", "benchmarks"]
PARALLEL = ["-n", "auto", "--no-loadscope-reorder"]
CHECKS = [
    ["ruff", "format", "--check", "."],
    ["ruff", "check", "."],
    ["mypy", *(folder for folder in TYPED if (ROOT / folder).is_dir())],
    ["pytest", *PARALLEL, *sys.argv[1:]],
]


def main() -> int:
    """Run the checks; the exit code is that of the first to fail."""
    for check in CHECKS:
        print("$ python -m", *check, flush=True)
        code = subprocess.run([sys.executable, "-m", *check], cwd=ROOT, check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
