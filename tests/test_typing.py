"""What a type checker tells the users of the package."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from openenv_lite import Action, Observation, State
from openenv_lite.client import EnvClient

class Move(Action):
    pile: int

class Board(Observation):
    piles: list[int] = []

def play(url: str) -> int:
    with EnvClient[Move, Board, State](base_url=url).sync() as env:
        return sum(env.step({action}).observation.{field})
"""


@pytest.mark.parametrize(
    ("action", "field", "complaint"),
    [
        ("Move(pile=1)", "piles", ""),
        ("Move(pile=1)", "heaps", '"Board" has no attribute "heaps"'),
        ('{"pile": 1}', "piles", "Argument 1 to"),
    ],
    ids=["right", "wrong field", "wrong action"],
)
def test_a_typed_client_is_checked(tmp_path: Path, action: str, field: str, complaint: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.replace("{action}", action).replace("{field}", field))
    command = [sys.executable, "-m", "mypy", "--strict", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert complaint in done.stdout
    assert (done.returncode == 0) is (complaint == "")
