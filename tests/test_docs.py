"""What the README and ARCHITECTURE.md claim is run."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from openenv_lite import create_app
from openenv_lite.cli.commands import cli
from openenv_lite.protocol import TABLE, Phase
from tests.cli.process import serving
from tests.mcp.suite import ADVICE

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
INSPECTOR = "@modelcontextprotocol/inspector@2.12.0"
SETTINGS = (
    "mode",
    "max_concurrent_envs",
    "blocking",
    "control_token",
    "mcp_token",
    "allowed_hosts",
    "allowed_origins",
    "host",
    "port",
    "workers",
)
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
    calls = [shlex.split(line) for line in lines if line.startswith("openenv-lite ")]
    assert len(calls) >= 5
    for words in calls:
        assert_understood(words)


def command(verb: str) -> click.Command:
    found = cli.get_command(click.Context(cli), verb)
    assert found is not None
    return found


def assert_understood(words: list[str]) -> None:
    """Our program has such a command and such options."""
    program, verb, *arguments = words
    assert program == "openenv-lite"
    with command(verb).make_context(verb, arguments) as context:
        assert context.params


def test_the_settings_of_the_readme_have_the_defaults_it_says() -> None:
    rows = [line.split("|")[1:-1] for line in README.splitlines() if line.startswith("| ")]
    serve = {option.name: option for option in command("serve").params}
    told = {flag: variables for _, flag, variables, _ in (r for r in rows if len(r) == 4)}
    for name in SETTINGS:
        flag = serve[name].opts[0]
        (variables,) = [told[each] for each in told if f"`{flag}`" in each]
        assert f"`{serve[name].envvar}`" in variables
    for _, _, variables, _ in (row for row in rows if len(row) == 4 and "OPENENV_" in row[2]):
        assert variables.strip(" `") in (create_app.__doc__ or "")
    assert (serve["host"].default, serve["port"].default) == ("127.0.0.1", 8000)


def entries(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    (servers,) = settings.values()
    yield from servers.values()


def test_settings_of_mcp_clients_are_json_that_fits_a_server() -> None:
    found = [entry for block in blocks(README, "json") for entry in entries(json.loads(block))]
    assert {entry.get("type", "stdio") for entry in found} == {"http", "stdio"}
    for entry in found:
        if "type" in entry:
            assert entry["url"] == "http://127.0.0.1:8000/mcp"
        else:
            assert_understood([entry["command"], *entry["args"]])


def test_commands_that_name_ours_after_two_dashes_are_understood() -> None:
    lines = [line for block in blocks(README, "sh") for line in block.splitlines()]
    ours = [shlex.split(line.partition(" -- ")[2]) for line in lines if " -- " in line]
    assert len(ours) == 2
    for words in ours:
        assert_understood(words)


def test_the_inspector_sees_a_server_by_the_commands_of_the_readme(tmp_path: Path) -> None:
    lines = [line for block in blocks(README, "sh") for line in block.splitlines()]
    over_http, over_stdio = (line for line in lines if line.startswith("npx "))
    with serving("echo_env", "--mode", "production") as server:
        listed = inspect(over_http.replace("http://127.0.0.1:8000", server.url), tmp_path)
    assert {"echo_message", "echo_loudly"} < {tool["name"] for tool in listed["tools"]}
    called = inspect(over_stdio, tmp_path)
    assert called["structuredContent"] == {"result": "hi"}


def inspect(command: str, folder: Path) -> Any:
    """Run a line of the README, on a Node that is new enough."""
    npx = shutil.which("npx")
    assert npx is not None, ADVICE
    program = command.replace(f"npx {INSPECTOR.rpartition('@')[0]}", "mcp-inspector")
    found = subprocess.run(
        [npx, "-y", "-p", "node@22", "-p", INSPECTOR, "-c", program],
        cwd=folder,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert found.returncode == 0, f"{ADVICE}\n{found.stderr}"
    return json.loads(found.stdout)


def test_the_state_diagram_is_the_table() -> None:
    drawn, _ = blocks(ARCHITECTURE, "mermaid")
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
