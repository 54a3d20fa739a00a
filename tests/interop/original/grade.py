"""Our laws as graders of the original's validation, on a server at the URL that is given.

With `every` after it, each law by itself as well.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

from openenv.validation.graders import GraderRegistry, Subject
from openenv.validation.policy import apply_policy, load_policy
from openenv.validation.report import CheckResult
from openenv.validation.runner import default_grader_registry
from openenv.validation.runtime.scheduler import execute_graders
from openenv.validation.types import CheckStatus, Lane

from openenv_lite.testing.graders import every_grader, policy


def main() -> None:
    """Print what the graders say, and the verdicts of the original's policy and of ours."""
    running = SimpleNamespace(base_url=sys.argv[1])
    subject = Subject(Path(), SimpleNamespace(), None, running, Path())
    started = CheckResult(check_id="runtime.startup", status=CheckStatus.PASS, duration_s=0)
    registry = default_grader_registry(load_policy("v2"))
    before = {*registry._graders}
    loaded = registry.load_entry_points()
    entered = [registry.get(each) for each in registry._graders if each not in before]
    named = execute_graders(entered, subject, prior=[started])
    own = GraderRegistry()
    for grader in every_grader() if "every" in sys.argv else []:
        own.register(grader)
    every = execute_graders([*own._graders.values()], subject, prior=[started])
    told = {
        "loaded": loaded,
        "named": [each.model_dump(mode="json") for each in named],
        "every": [each.model_dump(mode="json") for each in every],
        "verdict": apply_policy([started, *named], load_policy("v2"), Lane.LOCAL).value,
        "own verdict": apply_policy([started, *every], policy(), Lane.LOCAL).value,
    }
    print(json.dumps(told))


main()
