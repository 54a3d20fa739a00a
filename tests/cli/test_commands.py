"""Every verb is documented, every error is one line."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from openenv_lite import __version__
from openenv_lite.cli.commands import COMMANDS, cli

README = Path(__file__).parents[2] / "README.md"

verbs = pytest.mark.parametrize("verb", COMMANDS)


@verbs
def test_the_readme_tells_of_the_verb(verb: str) -> None:
    assert f"openenv-lite {verb}" in README.read_text()


@verbs
def test_every_option_of_the_verb_has_help_or_a_telling_default(verb: str) -> None:
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    assert command.help
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help or option.show_default, option.name
    assert CliRunner().invoke(cli, [verb, "--help"]).exit_code == 0


def test_without_a_verb_help_is_shown() -> None:
    result = CliRunner().invoke(cli, [])
    assert result.exit_code == 0
    assert "rollout" in result.output
    assert __version__ in CliRunner().invoke(cli, ["--version"]).output


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ("dance", 2, "No such command 'dance'. See"),
        ("serve", 2, "Missing argument 'TARGET'. See"),
        ("serve echo_env --port high", 2, "--port"),
        ("serve nowhere", 2, "name a folder, or a module"),
        ("serve http://localhost:8000", 2, "name what is to be run, a folder or a module"),
        ("rollout localhost:8000", 2, "by its URL, http://localhost:8000"),
        ("serve tests/cli", 2, "has neither openenv.yaml nor server/app.py"),
        ("serve tests/cli/policies.py", 2, "without .py and with dots for slashes"),
        ("rollout gym_env --policy tests/cli/policies.py:greedy", 2, "without .py"),
        ("serve gym_env --env id", 2, "'id' is not KEY=VALUE"),
        ("serve gym_env --env id=Nope-v1", 2, "cannot make 'Nope-v1'"),
        ("rollout gym_env --policy nowhere", 2, "give random or MODULE:FUNC"),
        ("rollout gym_env --policy os:nothing", 2, "check the name after the colon"),
        ("rollout gym_env --out /nowhere/t.jsonl", 2, "Cannot write"),
        ("rollout http://127.0.0.1:1", 1, "start a server with `openenv-lite serve`"),
        ("rollout http://127.0.0.1:1 --env a=1", 2, "give --env to `serve`"),
    ],
)
def test_an_error_is_one_line_that_says_what_to_do(arguments: str, code: int, told: str) -> None:
    result = CliRunner().invoke(cli, arguments.split())
    assert result.exit_code == code
    assert result.stderr.startswith("openenv-lite: ")
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("absent", "arguments", "told"),
    [
        ("click", "serve", "click is missing: run pip install 'openenv-lite[cli]'"),
        ("gymnasium", "serve gym_env", "needs gymnasium: run pip install 'openenv-lite[gym]'"),
    ],
)
def test_a_missing_extra_is_named(absent: str, arguments: str, told: str) -> None:
    code = f"""
import sys
sys.modules[{absent!r}] = None
sys.argv = ["openenv-lite", *{arguments.split()!r}]
from openenv_lite.cli import main
main()
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=README.parent, check=False
    )
    assert result.returncode != 0
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1
