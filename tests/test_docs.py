"""What the README and ARCHITECTURE.md claim is run."""

import re
import shlex
from pathlib import Path

from openenv_lite.cli.commands import cli
from openenv_lite.protocol import TABLE, Phase

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "openenv_lite" / "ARCHITECTURE.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_readmes_python_runs_from_top_to_bottom() -> None:
    namespace: dict[str, object] = {}
    for block in blocks(README, "python"):
        exec(compile(block, "README.md", "exec"), namespace)
    assert "Shop" in namespace


def test_the_environment_on_top_has_ten_lines() -> None:
    lines = [line for line in blocks(README, "python")[0].splitlines() if line.strip()]
    assert len(lines) == 10


def test_ci_runs_the_readmes_test_command_word_by_word() -> None:
    (command,) = (each.strip() for each in blocks(README, "sh") if "-m tests" in each)
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_every_command_line_of_the_readme_is_understood() -> None:
    lines = [line for block in blocks(README, "sh") for line in block.splitlines()]
    calls = [shlex.split(line)[1:] for line in lines if line.startswith("openenv-lite ")]
    assert len(calls) >= 5
    for verb, *arguments in calls:
        command = cli.commands[verb]
        with command.make_context(verb, arguments) as context:
            assert context.params


def test_the_settings_of_the_readme_have_the_defaults_it_says() -> None:
    rows = [line.split("|")[1:-1] for line in README.splitlines() if line.startswith("| ")]
    serve = {option.name: option for option in cli.commands["serve"].params}
    told = {flag: variables for _, flag, variables, _ in (r for r in rows if len(r) == 4)}
    for name in ("mode", "max_concurrent_envs", "control_token", "host", "port", "workers"):
        flag = "--" + name.replace("_", "-")
        (variables,) = [told[each] for each in told if f"`{flag}`" in each]
        assert f"`{serve[name].envvar}`" in variables
    assert (serve["host"].default, serve["port"].default) == ("127.0.0.1", 8000)


def test_the_state_diagram_is_the_table() -> None:
    (drawn,) = blocks(ARCHITECTURE, "mermaid")
    arrows = {line.strip() for line in drawn.splitlines()[2:]}
    legal = {
        f"{phase} --> {following}: {event}"
        for event, row in TABLE.items()
        for phase in Phase
        if isinstance(following := getattr(row, phase), Phase)
    }
    assert arrows == legal


def test_no_file_names_a_registry_or_this_machine() -> None:
    names = ("py" + "pi.org", "python" + "hosted", "npm" + "js.org", "/tm" + "p/v", "/wo" + "rk/")
    kept = {".py", ".md", ".toml", ".yaml", ".json", ".svg", ""}
    files = [path for path in ROOT.rglob("*") if path.suffix in kept and path.is_file()]
    ours = [path for path in files if not re.search(r"/\.(venv|git/|\w+_cache|hypo)", str(path))]
    found = [str(path) for path in ours if any(name in path.read_text() for name in names)]
    assert not found
