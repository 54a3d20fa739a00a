import inspect
import re
from pathlib import Path

import pytest

import openenv_lite
from openenv_lite import errors
from openenv_lite.errors import OpenEnvError

PACKAGE = Path(openenv_lite.__file__).parent
CLASSES = [
    each
    for _, each in inspect.getmembers(errors, inspect.isclass)
    if each.__module__ == errors.__name__
]
ALL = pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)


def drawn() -> dict[str, str | None]:
    """Each class in the docstring's tree, and the one it hangs on."""
    parents: dict[str, str | None] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"^    ([│ ]*)(?:[├└]── )?([A-Z]\w+Error)\b", line):
            depth = 0 if not re.search("[├└]", line) else 1 + len(match[1]) // 4
            path = [*path[:depth], match[2]]
            parents[match[2]] = path[depth - 1] if depth else None
    return parents


def test_the_tree_in_the_docstring_is_the_tree_of_classes() -> None:
    actual = {
        kind.__name__: kind.__bases__[0].__name__ if kind is not OpenEnvError else None
        for kind in CLASSES
    }
    assert drawn() == actual


@ALL
def test_every_error_is_ours_and_says_how_it_looks_on_each_wire(kind: type[OpenEnvError]) -> None:
    assert issubclass(kind, OpenEnvError)
    assert re.fullmatch(r"[A-Z_]+", kind.code)
    assert 400 <= kind.status <= 599
    assert -32768 <= kind.rpc_code <= -32000
    assert kind.close_code is None or 1000 <= kind.close_code <= 4999
    assert kind.__doc__
    assert kind.__name__.endswith("Error")


@ALL
def test_the_table_in_the_architecture_tells_how_it_looks(kind: type[OpenEnvError]) -> None:
    closing = kind.close_code or ""
    row = f"| `{kind.__name__}` | `{kind.code}` | {kind.status} | {kind.rpc_code} | {closing} |"
    assert row in (PACKAGE / "ARCHITECTURE.md").read_text().splitlines()


@ALL
def test_message_and_details_are_kept(kind: type[OpenEnvError]) -> None:
    error = kind("what happened", extra=1)
    assert (str(error), error.message, error.details) == (
        "what happened",
        "what happened",
        {"extra": 1},
    )


def test_nothing_else_in_the_package_is_an_exception_a_peer_may_meet() -> None:
    defined = re.compile(r"^class (\w+)\((?:\w+, )*(?:Exception|BaseException|\w+Error)\b", re.M)
    unserved = {"testing", "validation"}
    elsewhere = {
        name
        for path in PACKAGE.rglob("*.py")
        if path.name != "errors.py" and not unserved.intersection(path.parts)
        for name in defined.findall(path.read_text())
    }
    assert elsewhere <= {"Disconnected", "InputRequired", "SessionWanted", "_NotPlayableError"}
