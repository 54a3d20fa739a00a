"""Templates of environment packages: the folders beside this package, read and written."""

import re
from collections.abc import Mapping
from pathlib import Path

from openenv_lite.errors import ConfigurationError

__all__ = ["ARCHETYPES", "template", "write"]

ARCHETYPES = ("game", "sandbox", "vision", "dataset")

_TEMPLATES = Path(__file__).parents[1] / "templates"


def template(name: str) -> dict[str, str]:
    """The files of a template, and those that all have, by their paths in the package."""
    return {**_files(_TEMPLATES / "shared"), **_files(_TEMPLATES / name)}


def _files(folder: Path) -> dict[str, str]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    sources = [path for path in paths if path.suffix != ".pyc"]
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in sources}


def write(files: Mapping[str, str], words: Mapping[str, str], folder: Path) -> None:
    """Write files with other words in their paths and texts.

    Raises:
        ConfigurationError: The folder holds something, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(
            f"{folder} exists and is not empty: remove it, choose another name, or another --into"
        )
    try:
        for path, text in files.items():
            target = folder / _replaced(path, words)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_replaced(text, words), "utf-8")
    except OSError as error:
        raise ConfigurationError(f"Cannot write {folder}: {error.strerror}") from error


def _replaced(text: str, words: Mapping[str, str]) -> str:
    longest_first = sorted(words, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), lambda found: words[found[0]], text)
