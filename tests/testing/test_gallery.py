from concurrent.futures import ProcessPoolExecutor

import pytest

from openenv_lite.testing.laws import LAWS
from tests.testing.examining import EXHIBITS, examined

LONGEST_S = 20
MOST_ACTIONS = 5


@pytest.mark.parametrize("exhibit", EXHIBITS)
def test_each_mistake_is_caught_by_the_law_that_names_it(
    exhibit: str, apart: ProcessPoolExecutor
) -> None:
    finding = apart.submit(examined, exhibit).result()
    assert [*finding.broken] == [EXHIBITS[exhibit].law], finding.broken
    assert finding.elapsed_s < LONGEST_S
    assert finding.actions <= MOST_ACTIONS
    assert not finding.complaints, "\n".join(finding.complaints)


def test_every_law_has_a_mistake_that_it_catches() -> None:
    assert {law.name for law in LAWS} == {exhibit.law for exhibit in EXHIBITS.values()}
