"""Packages as `openenv-lite new` writes them, and what gates say once they are broken."""

import contextlib
from pathlib import Path

from openenv_lite.cli.naming import named
from openenv_lite.cli.templates import template, write
from openenv_lite.validation.gate import Failed, Passed, Verdict
from openenv_lite.validation.site import Limits, Package
from openenv_lite.validation.trial import PACKAGE_GATES, Trial, site_named

__all__ = ["fault_of", "replace", "told_by", "verdicts_of", "written"]

NAME = "maze_env"
LIMITS = Limits()


def written(place: Path, archetype: str = "game") -> Path:
    """A package that passes every gate."""
    write(template(archetype), named(NAME), place / NAME)
    return place / NAME


def replace(path: Path, old: str, new: str) -> None:
    """Break a file: put one text for another, which is there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def verdicts_of(folder: Path, *names: str, limits: Limits = LIMITS) -> dict[str, Verdict]:
    """What comes of these gates, and of no others."""
    with contextlib.closing(site_named(str(folder), limits)) as site:
        assert isinstance(site, Package)
        trial = Trial(site)
        return {gate.name: trial.verdict(gate) for gate in PACKAGE_GATES if gate.name in names}


def fault_of(folder: Path, *names: str, limits: Limits = LIMITS) -> Failed:
    """What the last of these gates finds fault with; those before it are passed."""
    *before, last = verdicts_of(folder, *names, limits=limits).values()
    assert all(isinstance(verdict, Passed) for verdict in before), before
    assert isinstance(last, Failed), last
    return last


def told_by(folder: Path, *names: str, limits: Limits = LIMITS) -> str:
    """What the last of these gates tells, all of which are passed."""
    verdicts = [*verdicts_of(folder, *names, limits=limits).values()]
    assert all(isinstance(verdict, Passed) for verdict in verdicts), verdicts
    assert isinstance(verdicts[-1], Passed)
    return verdicts[-1].told
