"""The words of a template, and what they become in a package of another name."""

import keyword
import sys

from openenv_lite.errors import ConfigurationError

__all__ = ["named"]

_TAKEN = {"openenv_lite", "models", "server", "rollout", "test_contract"}
"""Names of modules that a package imports, or that lie in it."""


def named(name: str) -> dict[str, str]:
    """What stands for each word of a template in the package of this name.

    `_env` at the end is no part of the names of module and class: `maze_env` has
    `MazeEnvironment` in `server/maze_environment.py`.

    Raises:
        ConfigurationError: The name is no module's, or another module has it.
    """
    _check(name)
    stem = name.removesuffix("_env")
    return {
        "my_environment": f"{stem}_environment",
        "MyEnvironment": f"{_joined(stem)}Environment",
        "my_env": name,
        "my-env": name.replace("_", "-"),
        "My Env": " ".join(part.capitalize() for part in name.split("_") if part),
    }


def _joined(stem: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in stem.split("_"))


def _check(name: str) -> None:
    usable = name.isidentifier() and name.isascii() and name[0] != "_"
    if not usable or keyword.iskeyword(name):
        raise ConfigurationError(
            f"{name!r} cannot be a package's name: use letters, digits and underscores, and a "
            "letter first, as in maze_env"
        )
    if name in _TAKEN | sys.stdlib_module_names:
        raise ConfigurationError(
            f"{name!r} is the name of a module already: choose another, {name}_env say"
        )
