import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import openenv_lite

PACKAGE = Path(openenv_lite.__file__).parent
NAME = PACKAGE.name
APART = {("client", "server"), ("server", "client")}
LONGEST_MODULE = 400
LONGEST_FUNCTION = 50


def rooms() -> list[str]:
    """The rooms of the map, from the ground up: a room may import those before it."""
    text = (PACKAGE / "ARCHITECTURE.md").read_text()
    block = re.search(r"^```rooms\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert block is not None, "ARCHITECTURE.md has no ```rooms block"
    floors = [line.partition(":")[2].split() for line in block[1].splitlines() if line.strip()]
    return [room for floor in floors for room in floor]


def files() -> list[Path]:
    """All but the templates, which are authors' packages and no rooms."""
    return sorted({*PACKAGE.rglob("*.py")} - {*(PACKAGE / "templates").rglob("*.py")})


def room_of(path: Path) -> str:
    """The room a file stands in; the package's own `__init__` stands above all rooms."""
    inside = path.relative_to(PACKAGE).parts
    return inside[0].removesuffix(".py")


def imported_rooms(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno} imports relatively"
            module = node.module or ""
            alone = module == NAME  # `from openenv_lite import codec` names a room
            names = [f"{module}.{a.name}" for a in node.names] if alone else [module]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == NAME and parts[-1] != "__version__":
                yield parts[1] if len(parts) > 1 else "__init__"


EVERY_FILE = pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(PACKAGE)))


def test_the_map_shows_every_room_once_and_no_other() -> None:
    there = {room_of(path) for path in files()} - {"__init__", "__main__"}
    drawn = rooms()
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == there


@EVERY_FILE
def test_a_room_imports_only_what_lies_below_it_or_to_its_left(path: Path) -> None:
    order = {room: place for place, room in enumerate(rooms())}
    own = room_of(path)
    for other in imported_rooms(path):
        if own in ("__init__", "__main__"):
            assert other in order
            continue
        assert other in order, f"{own} imports {other}, which is no room"
        assert other == own or order[other] < order[own], f"{own} imports {other}"
        assert (own, other) not in APART, f"{own} imports {other}"
        assert other != "cli" or own == "cli", f"{own} imports cli"


@EVERY_FILE
def test_modules_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_MODULE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, node.name


@EVERY_FILE
def test_no_name_is_a_drawer(path: Path) -> None:
    drawers = {"utils", "helpers", "core", "base", "manager", "handler"}
    assert not drawers & set(re.split(r"[/_.]", str(path.relative_to(PACKAGE)).lower()))


def test_the_words_know_no_web_and_no_event_loop_of_others() -> None:
    ground = rooms()[: rooms().index("clock")]
    for path in files():
        if room_of(path) in ground:
            nodes = list(ast.walk(ast.parse(path.read_text())))
            plain = [alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names]
            named = [str(n.module) for n in nodes if isinstance(n, ast.ImportFrom)]
            names = {name.partition(".")[0] for name in plain + named}
            assert not names & {"starlette", "uvicorn", "websockets", "picows", "httpx", "anyio"}
