import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import openenv_lite

PACKAGE = Path(openenv_lite.__file__).parent
MODULES = [
    "openenv_lite",
    *(
        found.name
        for found in pkgutil.walk_packages([str(PACKAGE)], "openenv_lite.")
        if not found.name.rpartition(".")[2].startswith("_")
    ),
]
ALL = pytest.mark.parametrize("name", MODULES)


def source(name: str) -> ast.Module:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return ast.parse(Path(spec.origin).read_text())


def defined(tree: ast.Module) -> set[str]:
    """Public classes, functions and constants with a name of their own."""
    names = set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
    return {name for name in names if not name.startswith("_")}


def declared(tree: ast.Module) -> list[str] | None:
    """What `__all__` says, without importing what another package may be needed for."""
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and target.id == "__all__" and node.value is not None:
                return list(ast.literal_eval(node.value))
    return None


@ALL
def test_every_public_name_a_module_defines_is_declared_and_in_order(name: str) -> None:
    tree = source(name)
    if not tree.body[1:]:
        return  # a package that holds nothing but modules
    names = declared(tree)
    assert names is not None, f"{name} has no __all__"
    assert names == sorted(names, key=in_order)
    assert len(set(names)) == len(names)
    assert (defined(tree) & USED.get(name, set())) <= set(names)


def in_order(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions, as ruff sorts them."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def imported_names() -> dict[str, set[str]]:
    """For each module, what other modules of the package import from it."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                found.setdefault(node.module, set()).update(alias.name for alias in node.names)
    return found


USED = imported_names()


ELSEWHERE = {"gradio", "nemo_rl", "ray", "skyrl_gym", "torch", "verl"}
"""Packages that some module needs and these tests do without: others run it where they are."""


@ALL
def test_every_declared_name_is_there(name: str) -> None:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        assert error.name in ELSEWHERE
        return
    for each in getattr(module, "__all__", []):
        assert getattr(module, each) is not None


def test_the_packages_words_are_those_of_its_modules() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nowhere'"):
        openenv_lite.Nowhere  # noqa: B018
    assert openenv_lite.__version__


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has after one statement."""
    program = f"import sys\n{statement}\nprint('\\n'.join(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=PACKAGE.parent,
    )
    return set(run.stdout.split())


WEB = {
    "starlette",
    "uvicorn",
    "websockets",
    "picows",
    "httpx",
    "anyio",
    "pydantic",
    "fastmcp",
    "mcp",
}


def test_importing_the_package_loads_msgspec_and_no_web_framework() -> None:
    modules = loaded_by("import openenv_lite")
    assert "msgspec" in modules
    assert not modules & WEB
    assert not any(m.startswith(("openenv_lite.server", "openenv_lite.client")) for m in modules)
    assert "sqlite3" not in modules


def test_the_client_loads_no_server() -> None:
    modules = loaded_by("import openenv_lite.client")
    assert not any(module.startswith("openenv_lite.server") for module in modules)
    assert not modules & {"starlette", "uvicorn"}


def test_the_server_loads_no_client() -> None:
    modules = loaded_by("import openenv_lite.server")
    assert not any(module.startswith("openenv_lite.client") for module in modules)
    assert not modules & {"pydantic", "fastmcp", "mcp", "uvicorn"}


LAZY = ["create_app", "HTTPEnvServer", "EnvClient", "MCPToolClient"]
BACKED = ["StructBacked", "SQLiteBacked", "DirectoryBacked"]


@pytest.mark.parametrize("name", LAZY + BACKED)
def test_a_lazy_name_is_loaded_when_asked_for(name: str) -> None:
    assert loaded_by(f"from openenv_lite import {name}")
