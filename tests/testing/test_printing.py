"""What a hostile environment or server says, on the terminal of whoever checks it."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from openenv_lite.cli.commands import cli
from openenv_lite.testing import check_environment
from tests.environments import Add, Inline

NASTY = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e"


class Shouts(Inline):
    """It clears the screen."""

    def step(self, action: Add, bonus: int = 0) -> Any:
        raise ValueError(NASTY)


def test_control_characters_reach_no_terminal() -> None:
    arguments = ["check", f"{__name__}:Shouts", "--law", "legal_calls_succeed"]
    found = CliRunner().invoke(cli, arguments)
    assert found.exit_code == 1, found.output
    assert r"\x1b[2J\x1b]0;owned" in found.output
    assert found.output.replace("\n", "").isprintable()
    as_json = CliRunner().invoke(cli, [*arguments, "--json"]).stdout
    assert as_json.isascii()
    assert NASTY in json.loads(as_json)[0]["violation"]
    with pytest.raises(AssertionError) as told:
        check_environment(Shouts, laws=["legal_calls_succeed"])
    assert str(told.value).replace("\n", "").isprintable()
