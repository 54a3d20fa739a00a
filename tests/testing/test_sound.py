"""No false alarms: `SOUND_RUNS=50 pytest tests/testing/test_sound.py` runs as often as released."""

from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.testing.examining import RUNS, broken_laws_of
from tests.testing.sound import SOUND


@pytest.mark.parametrize("seed", range(RUNS))
@pytest.mark.parametrize("place", range(len(SOUND)), ids=[each.name for each in SOUND])
def test_a_correct_environment_breaks_no_law(
    place: int, seed: int, apart: ProcessPoolExecutor
) -> None:
    assert apart.submit(broken_laws_of, place, seed).result() == []
