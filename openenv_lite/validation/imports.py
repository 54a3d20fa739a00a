"""The app imported in both ways in which it is going to be: by its package's name, and without."""

import sys
from pathlib import Path

import msgspec

from openenv_lite.validation.gate import Fault, Unmet, gate
from openenv_lite.validation.importing import Imported
from openenv_lite.validation.layout import module_file
from openenv_lite.validation.processes import last_line, run
from openenv_lite.validation.site import Package

__all__ = ["flat_import", "package_import"]

_CHILD = (sys.executable, "-P", "-m", "openenv_lite.validation.importing")

_BOTH_WAYS = (
    "Import neighbours in both ways: `try: from ..models import X`, then "
    "`except ImportError: from models import X`"
)


@gate("the app can be imported as a part of its package, as in a repository")
def package_import(package: Package) -> str:
    """By the folder's name, from the folder above."""
    if not package.is_package:
        raise Unmet("the folder has no __init__.py, so it is imported flat alone")
    return _imported(package, "package", Path.cwd(), f"{package.folder.name}.{package.app[0]}")


@gate("the app can be imported flat, as in a container, where the folder is no package")
def flat_import(package: Package) -> str:
    """From within the folder, whose own name is hidden."""
    return _imported(package, "flat", package.folder, package.app[0])


def _imported(package: Package, form: str, place: Path, module: str) -> str:
    command = (*_CHILD, form, str(package.folder), *package.app)
    ended = run(command, package.limits.program_s, place)
    if ended.code is None:
        raise Fault(
            f"{module} was still being imported after {package.limits.program_s:g} s",
            "Load what takes long when the first session needs it, or give --timeout",
        )
    try:
        imported = msgspec.json.decode(ended.out, type=Imported)
    except msgspec.DecodeError:
        raise Fault(
            f"Importing {module} ended the process with exit code {ended.code}: {last_line(ended)}",
            "Leave to `main` whatever is not to happen on import",
            ended.err,
        ) from None
    if imported.absent and f"{module}.".startswith(f"{imported.absent}."):
        path = f"{package.app[0].replace('.', '/')}.py"
        raise Fault(
            f"There is no module {imported.absent}",
            f"Write {path}, or name another `app` in openenv.yaml",
        )
    if imported.fault is not None:
        raise Fault(imported.fault, _remedy(package, imported, module))
    return module


def _remedy(package: Package, imported: Imported, module: str) -> str:
    absent = (imported.absent or "").partition(".")[0]
    is_own = absent == package.folder.name or module_file(package.folder, absent) is not None
    if (absent and is_own) or "relative import" in (imported.fault or ""):
        return _BOTH_WAYS
    if absent:
        return f"Install {absent} here, and name its project in `dependencies` of pyproject.toml"
    return f"Mend that; `python -c 'import {module}'` shows the whole traceback"
