"""What comes of all laws on one target, as plain data that a process can tell another."""

import contextlib
import importlib
import io
import os
import pkgutil
import traceback
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

from openenv_lite.testing.laws import LAWS
from openenv_lite.testing.playing import Dial, Play
from openenv_lite.testing.report import counterexample
from openenv_lite.testing.running import Broken, Check, Terms
from openenv_lite.testing.strangers.door import Door
from openenv_lite.testing.subject import subject_of
from tests.testing.gallery.exhibit import Exhibit
from tests.testing.sound import SOUND

__all__ = ["EXHIBITS", "RUNS", "Finding", "broken_laws_of", "examined"]

RUNS = int(os.environ.get("SOUND_RUNS", "1"))
BUDGET_S = Terms().budget_s if "SOUND_RUNS" in os.environ else 3.0
"""The default where it is asked for, and less in every day's runs."""

_ROOMS = [each.name for each in pkgutil.iter_modules([str(Path(__file__).parent / "gallery")])]

EXHIBITS: dict[str, Exhibit] = {
    exhibit.name: exhibit
    for room in _ROOMS
    for exhibit in getattr(importlib.import_module(f"tests.testing.gallery.{room}"), "EXHIBITS", [])
}


class Finding(NamedTuple):
    """What came of one exhibit.

    Attributes:
        broken: The violations, by the names of the laws.
        actions: Of the longest counterexample.
        elapsed_s: How long all laws took.
        complaints: Tracebacks of counterexamples that could not be played again.
    """

    broken: dict[str, str]
    actions: int
    elapsed_s: float
    complaints: list[str]


def examined(name: str) -> Finding:
    """All laws on the exhibit of this name, at default settings."""
    exhibit = EXHIBITS[name]
    target = exhibit.target() if exhibit.is_app else exhibit.target
    subject = subject_of(target)
    began = perf_counter()
    try:
        verdicts = [*Check(subject, Terms()).verdicts(LAWS)]
    finally:
        subject.close()
    elapsed = perf_counter() - began
    broken = {law.name: each for law, each in verdicts if isinstance(each, Broken)}
    complaints = [
        complaint
        for each in broken.values()
        if (complaint := _play_again(counterexample(subject, each), exhibit))
    ]
    most = max((each.actions for each in broken.values()), default=0)
    violations = {law: each.violation for law, each in broken.items()}
    return Finding(violations, most, elapsed, complaints)


def _play_again(code: str, exhibit: Exhibit) -> str | None:
    """Run a counterexample to its end, and close what it opened; a traceback if it raises."""
    scope: dict[str, Any] = {"app": exhibit.target()} if exhibit.is_app else {}
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(code, "counterexample", "exec"), scope)
    except BaseException:  # noqa: BLE001  told in the parent process
        return f"{code}\n{traceback.format_exc()}"
    finally:
        for each in [*scope.values()]:
            if isinstance(each, Play | Dial | Door):
                each.close()
    return None


def broken_laws_of(place: int, seed: int) -> list[str]:
    """The violations of one of the correct environments, by its place in their list."""
    sound = SOUND[place]
    subject = subject_of(sound.target)
    terms = Terms(seed, BUDGET_S, sound.actions)
    try:
        verdicts = [*Check(subject, terms).verdicts(LAWS)]
    finally:
        subject.close()
    return [f"{law.name}: {each.violation}" for law, each in verdicts if isinstance(each, Broken)]
