import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from openenv_lite import Action, Environment, Observation, State
from openenv_lite.testing import check_environment
from openenv_lite.testing.law import Need, Unmet
from openenv_lite.testing.naming import Naming, named
from openenv_lite.testing.running import Skipped
from openenv_lite.testing.sessions.elsewhere import Elsewhere, played
from openenv_lite.testing.sessions.performing import Part, perform
from openenv_lite.testing.subject import subject_of


class Do(Action):
    """What to do."""

    what: str = ""


class Told(Observation):
    """What was found out."""

    text: str = ""


class Curious(Environment[Do, Told, State]):
    """Tells of its process, and does it harm."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    steps = 0

    def reset(self) -> Told:
        return Told(text=f"{hash('north')} {os.environ['PYTHONHASHSEED']}")

    def step(self, action: Do) -> Told:
        type(self).steps += 1
        if action.what == "print":
            print("noise", flush=True)
            sys.stdin.read()
        if action.what == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        return Told(text=f"{self.steps} {os.getppid()}")


def parts(*actions: str) -> list[Part]:
    steps = [Part(0, "step", {"what": each}) for each in actions]
    return [Part(0, "open"), Part(0, "reset"), *steps, Part(0, "close")]


def texts(outcomes: list[object]) -> list[str]:
    return [each["observation"]["text"] for each in outcomes if isinstance(each, dict)]


def is_alive(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


@pytest.fixture
def process() -> Iterator[Elsewhere]:
    elsewhere = Elsewhere(named(Curious), "1")
    yield elsewhere
    elsewhere.close()


def test_the_hash_seed_decides(process: Elsewhere) -> None:
    first, second = texts(process.play(parts())), texts(played(Curious, "2", parts_plain()))
    assert first[0].endswith(" 1")
    assert second[0].endswith(" 2")
    assert first != second


def parts_plain() -> list[list[object]]:
    return [[each.session, each.call, each.argument] for each in parts()]


def test_nothing_is_left_of_what_was_played_before(process: Elsewhere) -> None:
    counts = [texts(process.play(parts("", "")))[-1].split()[0] for _ in range(3)]
    assert counts == ["2", "2", "2"]


def test_what_the_author_prints_and_reads_is_not_in_the_way(process: Elsewhere) -> None:
    assert texts(process.play(parts("print")))[-1].startswith("1 ")


def test_a_copy_that_dies_takes_nobody_with_it(process: Elsewhere) -> None:
    with pytest.raises(Unmet, match="survives"):
        process.play(parts("die"))
    assert texts(process.play(parts("")))[-1].startswith("1 ")


def test_the_process_ends_with_its_object() -> None:
    elsewhere = Elsewhere(named(Curious), "1")
    number = int(texts(elsewhere.play(parts("")))[-1].split()[1])
    assert is_alive(number)
    del elsewhere
    assert not is_alive(number)


def test_a_closed_process_is_asked_no_more(process: Elsewhere) -> None:
    process.play(parts())
    process.close()
    process.close()
    with pytest.raises(Unmet):
        process.play(parts())


def test_an_environment_that_is_not_found_is_said_so() -> None:
    elsewhere = Elsewhere(Naming("from nowhere import Nothing", "Nothing"), "1")
    assert not elsewhere.is_ready
    with pytest.raises(Unmet, match="import"):
        elsewhere.play(parts())
    elsewhere.close()


def test_the_same_is_seen_here_as_elsewhere(process: Elsewhere) -> None:
    subject = subject_of(Curious)
    here = perform(subject.open, [Part(0, "open"), Part(0, "step", {}), Part(0, "close")])
    assert here == process.play([Part(0, "open"), Part(0, "step", {}), Part(0, "close")])
    assert here == [None, {"error": "ResetRequiredError"}, None]
    subject.close()


def test_a_class_within_a_function_is_nowhere_else() -> None:
    class Local(Curious):
        """Made here."""

    for kind, is_found in ((Local, False), (Curious, True)):
        subject = subject_of(kind)
        assert subject.offers(Need.ELSEWHERE) is is_found
        subject.close()


class Unready(Curious):
    """Can be built in this process alone."""

    def __init__(self) -> None:
        if os.environ.get("TESTS_ARE_RUN_BY") != str(os.getpid()):
            raise RuntimeError("not here")


def test_what_can_be_built_here_alone_is_judged_by_no_other_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TESTS_ARE_RUN_BY", str(os.getpid()))
    report = check_environment(Unready, laws=["instances_share_nothing", "other_processes_agree"])
    assert [type(verdict) for _, verdict in report.verdicts] == [Skipped, Skipped]
