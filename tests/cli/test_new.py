"""`openenv-lite new`: what it writes, and what it refuses. That it runs is in `tests/templates`."""

import ast
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from openenv_lite.cli.commands import cli
from openenv_lite.cli.templates import ARCHETYPES, template

LAYOUT = {
    ".dockerignore",
    "Dockerfile",
    "README.md",
    "__init__.py",
    "compose.yaml",
    "models.py",
    "openenv.yaml",
    "pyproject.toml",
    "rollout.py",
    "server/__init__.py",
    "server/app.py",
    "server/deep_sea_environment.py",
    "test_contract.py",
}
EXTRAS = ("count_of_all_articles", "count_of_empty_shelves", "count_of_shelves_in_use")
WAREHOUSE = ("--wrap", "tests.templates.warehouse:Warehouse")
KINDS = [*(("--archetype", archetype) for archetype in ARCHETYPES), WAREHOUSE]


def new(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["new", *arguments])


@pytest.fixture(params=KINDS, ids=lambda kind: kind[1])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A package, freshly written."""
    written = new("deep_sea_env", *request.param, "--into", str(tmp_path))
    assert written.exit_code == 0, written.output
    return tmp_path / "deep_sea_env"


def texts(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_it_writes_the_layout_and_no_word_of_the_template_stays(folder: Path) -> None:
    files = texts(folder)
    assert set(files) >= LAYOUT
    left = ("my_env", "my-env", "MyEnv", "my_environment", "My Env", "my_domain", "MyDomain")
    for path, text in files.items():
        assert not [word for word in left if word in path + text], path


def test_names_are_those_of_the_package(folder: Path) -> None:
    files = texts(folder)
    assert "class DeepSeaEnvironment(" in files["server/deep_sea_environment.py"]
    assert "name: deep_sea_env" in files["openenv.yaml"].splitlines()
    assert "title: Deep Sea Env" in files["README.md"].splitlines()
    project = tomllib.loads(files["pyproject.toml"])
    assert project["project"]["name"] == "openenv-deep-sea-env"
    assert project["tool"]["setuptools"]["packages"] == ["deep_sea_env", "deep_sea_env.server"]


def test_a_package_depends_on_the_server_alone(folder: Path) -> None:
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    drawing = {"pillow>=10.1"} if "screenshot" in (folder / "README.md").read_text() else set()
    assert {*project["dependencies"]} == {"openenv-lite[server]", *drawing}


def test_the_readme_begins_as_a_space_wants_it(folder: Path) -> None:
    _, front, text = (folder / "README.md").read_text().split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in front.splitlines())
    assert (fields["sdk"], fields["app_port"]) == ("docker", "8000")
    assert "openenv" in fields["tags"]
    assert len(fields["short_description"]) <= 60  # the Hub's limit
    assert "openenv-lite serve ." in text


def test_what_templates_have_in_common_is_the_same_in_all() -> None:
    first, *others = (template(name) for name in (*ARCHETYPES, "wrap"))
    for path in ("server/__init__.py", "server/app.py"):
        assert [other[path] for other in others] == [first[path]] * len(others)


def test_files_are_small(folder: Path) -> None:
    for path, text in texts(folder).items():
        assert len(text.splitlines()) <= 150, path
        if path.endswith(".py"):
            assert ast.get_docstring(ast.parse(text)), path


@pytest.mark.parametrize(
    ("kind", "tools", "properties"),
    [
        ("Warehouse", ("store", "look"), ("stock",)),
        ("Annexe", ("store", "look", *EXTRAS), ("stock",)),
    ],
)
def test_typed_methods_become_tools_and_properties_the_trainers(
    kind: str, tools: tuple[str, ...], properties: tuple[str, ...], tmp_path: Path
) -> None:
    wrapped = new("depot", "--wrap", f"tests.templates.warehouse:{kind}", "--into", str(tmp_path))
    assert wrapped.exit_code == 0, wrapped.output
    models = (tmp_path / "depot" / "models.py").read_text()
    found: dict[str, object] = {}
    exec(models, found)
    assert (found["TOOLS"], found["PROPERTIES"]) == (tools, properties)
    assert max(map(len, models.splitlines())) <= 100


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("9lives --archetype game", "a letter first, as in maze_env"),
        ("maze-env --archetype game", "letters, digits and underscores"),
        ("class --archetype game", "cannot be a package's name"),
        ("random --archetype game", "choose another, random_env say"),
        ("server --archetype game", "the name of a module already"),
        ("maze --archetype puzzle", "'game', 'sandbox', 'vision', 'dataset'"),
        ("maze", "Give --archetype (game, sandbox, vision, dataset) or --wrap MODULE:CLASS"),
        ("maze --wrap tests.templates.warehouse", "name the class too, as MODULE:CLASS"),
        ("maze --wrap tests.templates.warehouse:Nothing", "check the name after the colon"),
        ("maze --wrap no_such_module:Thing", "No module 'no_such_module'"),
        ("tests --wrap tests.templates.warehouse:Warehouse", "choose another name for one"),
        ("maze --wrap os:getcwd", "--wrap takes a class"),
        ("maze --wrap tests.templates.warehouse:Rented", "needs rent, but each session builds"),
        ("maze --wrap tests.templates.warehouse:Untyped", "add hints, as in"),
    ],
)
def test_what_cannot_be_written_is_told_in_one_line(
    arguments: str, told: str, tmp_path: Path
) -> None:
    refused = new(*arguments.split(), "--into", str(tmp_path))
    assert refused.exit_code == 2
    assert told in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not any(tmp_path.iterdir())


def test_what_is_there_is_never_written_over(tmp_path: Path) -> None:
    kept = tmp_path / "maze" / "models.py"
    kept.parent.mkdir()
    kept.write_text("mine")
    refused = new("maze", "--archetype", "game", "--into", str(tmp_path))
    assert refused.exit_code == 2
    assert "exists and is not empty: remove it, choose another name" in refused.stderr
    assert [path.name for path in kept.parent.iterdir()] == ["models.py"]
    assert kept.read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = new("maze", "--archetype", "game", "--into", str(tmp_path / "file"))
    assert refused.exit_code == 2
    assert "--into" in refused.stderr


def test_it_says_what_to_do_next(tmp_path: Path) -> None:
    told = new("maze", "--archetype", "game", "--into", str(tmp_path)).output
    assert f"cd {tmp_path / 'maze'} && pip install -e '.[dev]'" in told
    assert "openenv-lite serve ." in told
