"""The files of a package."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from openenv_lite.validation.gate import Fault, gate
from openenv_lite.validation.site import Package

__all__ = ["layout", "module_file"]

_NEEDED = ("openenv.yaml", "pyproject.toml", "README.md", "__init__.py")
_NEVER_SHIPPED = {".git", ".venv", ".worktrees", "__pycache__", "outputs"}
"""Folders that OpenEnv does not look into."""


@gate("manifest, project, README, `Dockerfile` and app are there; no links, no special files")
def layout(package: Package) -> str:
    """The files that are needed to build, to publish and to import it."""
    strange = sorted(_strange(package.folder))
    if strange:
        raise Fault(
            f"{', '.join(strange)}: neither files nor folders, but links or the like",
            "Copy in what they stand for: an image or a Space would hold a link that leads nowhere",
        )
    missing = [*_missing(package)]
    if missing:
        raise Fault(
            f"{', '.join(missing)}: missing",
            "Add what is missing; `openenv-lite new NAME --archetype game` shows how each looks",
        )
    return "all there"


def _strange(folder: Path) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _NEVER_SHIPPED]
        for path in (Path(place, name) for name in (*folders, *files)):
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                yield path.relative_to(folder).as_posix()


def _missing(package: Package) -> Iterator[str]:
    yield from (name for name in _NEEDED if not (package.folder / name).is_file())
    if not any((package.folder / place).is_file() for place in ("Dockerfile", "server/Dockerfile")):
        yield "Dockerfile"
    module, _ = package.app
    if module_file(package.folder, module) is None:
        yield f"{module.replace('.', '/')}.py"


def module_file(folder: Path, module: str) -> Path | None:
    """Where a module of the folder is; None where there is none of this name."""
    place = folder.joinpath(*module.split("."))
    found = (place.with_name(f"{place.name}.py"), place / "__init__.py")
    return next((path for path in found if path.is_file()), None)
