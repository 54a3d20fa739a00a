"""What the README says of the gates is what they are."""

import re
from collections.abc import Iterator

from openenv_lite.validation.gate import Gate
from openenv_lite.validation.trial import PACKAGE_GATES, SERVER_GATES
from tests.cli.process import ROOT

SECTION = re.compile(r"^### Is my package ready\?\n(.*?)^## ", re.MULTILINE | re.DOTALL)


def rows() -> Iterator[list[str]]:
    """The cells of each row of the table."""
    section = SECTION.search((ROOT / "README.md").read_text())
    assert section is not None
    for line in section[1].splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.split("|")[1:-1]]


def told(gates: tuple[Gate, ...]) -> list[tuple[str, str]]:
    return [(f"`{gate.name}`", gate.says) for gate in gates]


def test_the_table_has_every_gate_in_its_order() -> None:
    table = [*rows()]
    assert [(name, says) for name, says, yes, _ in table if yes] == told(PACKAGE_GATES)
    assert [(name, says) for name, says, _, yes in table if yes] == told(SERVER_GATES)
