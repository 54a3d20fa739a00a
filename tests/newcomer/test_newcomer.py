"""A newcomer's first minute, for each archetype, in a virtual environment of its own."""

import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from openenv_lite.cli.templates import ARCHETYPES
from openenv_lite.validation.trial import PACKAGE_GATES
from tests.newcomer.journey import Journey, made_wheels, travelled

OPTIONS = {
    **{f"{kind}_env": f"--archetype {kind}" for kind in ARCHETYPES},
    "shop_env": "--wrap shop_rules:Shop",
}

Journeys = dict[str, "Future[Journey]"]


@pytest.fixture(scope="module")
def journeys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journeys]:
    """All of them, of whom few are on their way at a time."""
    place = tmp_path_factory.mktemp("newcomers")
    with ThreadPoolExecutor(1) as packer, ThreadPoolExecutor(3) as travellers:
        wheels = packer.submit(made_wheels, place)
        yield {
            name: travellers.submit(travelled, place / f"home of {name}", name, options, wheels)
            for name, options in OPTIONS.items()
        }
        travellers.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_newcomer_has_a_validated_environment_at_once(journeys: Journeys, name: str) -> None:
    steps, serving = journeys[name].result()
    assert re.fullmatch(
        r"Serving \w+Environment \(\.\) in simulation mode on http://\S+\n", serving
    )

    new = steps["openenv-lite new"]
    assert re.match(rf"Wrote \d+ files in {name}. Next:\n  cd {name} && pip install", new.out)
    turns = re.findall(r"^(\d)\. ", steps["MAX_TURNS=3 python"].out, re.MULTILINE)
    assert turns == ["1", "2", "3"][: len(turns)]
    assert turns

    told = steps["openenv-lite validate"].out
    assert re.findall(r"^│ (\w+) +│ passed ", told, re.MULTILINE) == [g.name for g in PACKAGE_GATES]
    assert told.endswith(f"\n{len(PACKAGE_GATES)} passed, 0 failed, 0 skipped\n")
    for step in steps.values():
        assert not step.err.strip(), step.command
