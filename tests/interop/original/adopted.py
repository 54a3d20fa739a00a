"""What was written for OpenEnv, served by us; runs under the interpreter that has `openenv`.

Folders are given as arguments; the classes are those of `serve` beside this, as they stand there.
"""

import sys
from pathlib import Path
from typing import Any

from openenv_lite import create_app
from openenv_lite.loading import Plan
from tests.interop.original import serve as theirs
from tests.interop.serving import serve


def plain(
    env: Any = theirs.PlainEnv, capacity: int = 64, mode: str = "simulation", name: str = "plain"
) -> Any:
    return create_app(
        env,
        theirs.PlainAction,
        theirs.PlainObservation,
        env_name=name,
        max_concurrent_envs=capacity,
        mode=mode,
    )


def tools(env: Any = theirs.ToolsEnv, mode: str = "simulation") -> Any:
    return create_app(
        env,
        theirs.CallToolAction,
        theirs.CallToolObservation,
        env_name="tools",
        max_concurrent_envs=64,
        mode=mode,
    )


if __name__ == "__main__":
    folders = {Path(each).name: Plan(target=each).app() for each in sys.argv[1:]}
    serve(
        {
            **folders,
            "plain": plain(),
            "quiz": plain(theirs.QuizEnv, name="quiz"),
            "tools": tools(),
            "undocumented": tools(theirs.UndocumentedEnv),
            "small": plain(capacity=1),
            "broken": plain(theirs.BrokenEnv),
            "plain_production": plain(mode="production"),
            "tools_production": tools(mode="production"),
        }
    )
