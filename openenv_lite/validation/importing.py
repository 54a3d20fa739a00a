"""Runs in a process of its own: imports an app, and tells what came of it, in JSON."""

import contextlib
import importlib.abc
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from openenv_lite.errors import ConfigurationError
from openenv_lite.loading import attribute, is_asgi, search_in
from openenv_lite.unmodified import our_server_in_place

__all__ = ["Imported", "main"]


class Imported(msgspec.Struct):
    """What came of an import.

    Attributes:
        fault: What is wrong; None if nothing is.
        absent: The module that was not found, if that is what is wrong.
    """

    fault: str | None = None
    absent: str | None = None


class _Nameless(importlib.abc.MetaPathFinder):
    """Hides a package that happens to be installed, as it is not in a container."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        """Refuse this package and all in it."""
        if f"{fullname}.".startswith(f"{self._name}."):
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=self._name)


def main(form: str, folder: Path, module: str, name: str) -> None:
    """Import `name` of `module`, and print what came of it.

    Args:
        form: `package`, by the folder's name, or `flat`, as in a container.
        folder: Of the package.
        module: As in a container.
        name: Of the app.
    """
    with os.fdopen(os.dup(1), "w") as replies:
        os.dup2(2, 1)  # what the author prints is for people
        if form == "flat":
            search_in(folder)
            if module.partition(".")[0] != folder.name:
                sys.meta_path.insert(0, _Nameless(folder.name))
        else:
            search_in(folder.parent)
            module = f"{folder.name}.{module}"
        replies.write(msgspec.json.encode(_imported(module, name)).decode() + "\n")


def _imported(module: str, name: str) -> Imported:
    try:
        with our_server_in_place(), contextlib.redirect_stdout(sys.stderr):
            found = attribute(module, name)
    except ConfigurationError as error:
        cause = error.__cause__
        absent = cause.name if isinstance(cause, ModuleNotFoundError) else None
        return Imported(error.message, absent)
    if is_asgi(found):
        return Imported()
    return Imported(f"{module}:{name} is no ASGI app, but of type {type(found).__name__}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4])
