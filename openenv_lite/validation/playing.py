"""An episode's first turns: by the package's own rollout, or, of a mere server, by ours."""

import re
import sys

from openenv_lite.validation.discovery import is_simulation
from openenv_lite.validation.gate import Fault, Unmet, gate
from openenv_lite.validation.processes import OURS, Ended, last_line, run
from openenv_lite.validation.site import Package, Site

__all__ = ["random_turns", "rollout"]

_TURNS = 3
_SHOWN_LINES = 20


@gate(
    "`MAX_TURNS=3 python rollout.py` plays against the server and ends well",
    after=("server_start",),
)
def rollout(package: Package) -> str:
    """Run as its README says, in its folder."""
    if not (package.folder / "rollout.py").is_file():
        raise Unmet("the folder has no rollout.py")
    more = {"ENV_URL": package.url, "MAX_TURNS": str(_TURNS)}
    limit_s = package.limits.program_s
    ended = run((sys.executable, "rollout.py"), limit_s, package.folder, more)
    see = f"run it by hand, as in `MAX_TURNS={_TURNS} ENV_URL={package.url} python rollout.py`"
    if ended.code is None:
        raise Fault(
            f"rollout.py still ran after {limit_s:g} s",
            "Let it end after MAX_TURNS turns, which is a variable of its process, or give "
            f"--timeout; {see}",
            _end_of(ended),
        )
    if ended.code:
        raise Fault(
            f"rollout.py ended with exit code {ended.code}: {last_line(ended)}",
            f"Serve the folder, and {see.replace(package.url, 'http://localhost:8000')}",
            _end_of(ended),
        )
    return last_line(ended._replace(err=""))


@gate("a random policy plays three turns", after=("schema_endpoint", "mode_endpoint_consistency"))
def random_turns(site: Site) -> str:
    """As `openenv-lite rollout` does."""
    if not is_simulation(site):
        raise Unmet("in production nobody plays")
    command = (*OURS, "rollout", site.url, "--episodes", "1", "--max-steps", str(_TURNS))
    ended = run(command, site.limits.program_s)
    if ended.code != 0:
        failed = re.search(r"1 x (.*?)\s*│", ended.out)
        said = failed[1] if failed else last_line(ended)
        if ended.code is None:
            said = f"it still played after {site.limits.program_s:g} s"
        raise Fault(
            f"An episode of {_TURNS} turns failed: {said}",
            f"See it by `openenv-lite rollout {site.url} --episodes 1 --max-steps {_TURNS}`; where "
            "not every action is legal, let the action's type say so",
            _end_of(ended),
        )
    return f"{_TURNS} turns, or fewer where the episode ended"


def _end_of(ended: Ended) -> str:
    return "\n".join(f"{ended.out}\n{ended.err}".strip().splitlines()[-_SHOWN_LINES:])
