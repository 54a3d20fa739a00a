"""Settings and the few fixtures that every folder of tests may use."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.environments import Awaiting, Inline, Secretive, Threaded, Toolbox

for profile, examples in (("house", 60), ("night", 2000)):  # `--hypothesis-profile=night`
    settings.register_profile(
        profile,
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
settings.load_profile("house")


@pytest.fixture
def gate() -> Iterator[None]:
    """`Threaded` waits in a negative step until the test, or at last this fixture, opens it."""
    Threaded.gate.clear()
    Threaded.entered.clear()
    yield
    Threaded.gate.set()


@pytest.fixture(autouse=True)
def _nobody_is_alive() -> None:
    """Each test counts its own environments."""
    for kind in (Inline, Threaded, Awaiting, Toolbox, Secretive):
        kind.alive.clear()
    Awaiting.cancelled.clear()
