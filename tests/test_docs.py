"""What the README and ARCHITECTURE.md claim is run."""

import re
from pathlib import Path

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
