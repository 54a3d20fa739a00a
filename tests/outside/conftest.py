import pytest

from tests.outside.mounting import disregard_earlier_children


@pytest.fixture(autouse=True)
def _only_own_children() -> None:
    disregard_earlier_children()
