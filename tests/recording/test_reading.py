"""Recordings read back, also where they were cut short."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite.errors import ConfigurationError
from openenv_lite.recording import load
from openenv_lite.recording.account import Account, Beginning
from openenv_lite.recording.events import About, Event, Kind, Outcome, seed_and_options
from openenv_lite.recording.reading import events_in, stories
from openenv_lite.recording.recorder import Recorder

SEEN = Outcome(observation='{"n":1}', reward=1.0)


@contextmanager
def accounts(path: Path, *sessions: str) -> Iterator[list[Account]]:
    recorder = Recorder.to_file(path)
    recorder.join()
    every = [Account(recorder, each, About("m:Env", "2", "simulation")) for each in sessions]
    yield every
    for each in every:
        each.leave()
    recorder.leave()


def written(path: Path, *sessions: str, steps: int = 3) -> bytes:
    """Sessions that play at the same time; the file's bytes."""
    with accounts(path, *sessions) as every:
        for each in every:
            each.begin(Beginning("e", 4), SEEN)
        for step in range(steps):
            for each in every:
                each.act(Kind.STEP, f'{{"n":{step}}}', SEEN, 0.5)
    return path.read_bytes()


def test_sessions_are_told_apart_and_keep_their_order(tmp_path: Path) -> None:
    written(tmp_path / "f", "b", "a")
    episodes = load(tmp_path / "f")
    assert [episode.session for episode in episodes] == ["b", "a"]
    for episode in episodes:
        assert [act.action for act in episode.acts] == [{"n": 0}, {"n": 1}, {"n": 2}]
        assert (episode.total, episode.seed, episode.version) == (3.0, 4, "2")
        assert episode.is_over
        assert episode.is_whole


def test_a_snapshot_before_the_first_reset_is_no_episode(tmp_path: Path) -> None:
    with accounts(tmp_path / "f", "s") as (account,):
        account.save("name", 0.1)
        account.begin(Beginning("e", 4), SEEN)
    assert [(each.episode, each.is_whole) for each in load(tmp_path / "f")] == [("e", True)]


def test_a_seed_that_is_no_number_is_an_option(tmp_path: Path) -> None:
    with accounts(tmp_path / "f", "s") as (account,):
        account.begin(Beginning("e", *seed_and_options({"seed": True})), SEEN)
    (found,) = load(tmp_path / "f")
    assert (found.seed, found.options) == (None, {"seed": True})


def test_a_folder_is_all_of_its_files(tmp_path: Path) -> None:
    written(tmp_path / "a.jsonl", "1")
    written(tmp_path / "b.jsonl", "2", "3")
    (tmp_path / "notes.txt").write_text("not one of them")
    assert [episode.session for episode in load(str(tmp_path))] == ["1", "2", "3"]


@pytest.mark.parametrize("text", ["", "# A title\n", '{"a":1}\n', "\xff\n"])
def test_what_is_no_recording_is_told_so(text: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_text(text, encoding="latin-1")
    with pytest.raises(ConfigurationError, match="holds no events: name a file that"):
        load(tmp_path / "f")


def test_what_is_not_there_is_told_so(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(ConfigurationError, match="neither a file nor a folder"):
            load(path)


@given(share=st.floats(0, 1))
def test_a_recording_that_was_cut_short_is_read_up_to_there(
    share: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("cut") / "f"
    whole = written(path, "a", "b")
    every = [*events_in(path)]
    first = whole.index(b"\n") + 1
    cut = first + int((len(whole) - first) * share)
    path.write_bytes(whole[:cut])
    lines = whole[:cut].count(b"\n")
    assert [*events_in(path)][:lines] == every[:lines]
    for episode in load(path):
        assert episode.is_whole
        assert [act.action["n"] for act in episode.acts] == [*range(len(episode.acts))]


@given(gone=st.integers(0, 9))
def test_an_episode_that_lost_a_line_says_so(
    gone: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("gone") / "f"
    lines = written(path, "a", "b").splitlines(keepends=True)
    lost = [*events_in(path)][gone]
    path.write_bytes(
        b"".join([*lines[:gone], lines[gone][: gone * 20] + b"\n", *lines[gone + 1 :]])
    )
    for episode in load(path):
        is_hit = episode.session == lost.session
        assert episode.is_whole == (not is_hit or lost.event is Kind.END)
        assert episode.is_over == (not is_hit or lost.event is not Kind.END)


def test_an_episode_whose_beginning_is_lost_is_none_of_the_one_before_it(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with accounts(path, "s") as (one,):
        for episode in ("first", "second"):
            one.begin(Beginning(episode, 1), SEEN)
            one.act(Kind.STEP, "{}", SEEN, 0.1)
    lines = path.read_bytes().splitlines(keepends=True)
    assert b'"begin"' in lines.pop(3)
    path.write_bytes(b"".join(lines))
    first, second = load(path)
    assert (first.episode, len(first.acts), first.is_whole) == ("first", 1, True)
    assert (second.episode, len(second.acts), second.is_whole) == ("second", 1, False)
    assert (second.seed, second.observation) == (None, None)


def test_what_an_episode_does_not_tell_is_empty(tmp_path: Path) -> None:
    with accounts(tmp_path / "f", "s") as (one,):
        one.act(Kind.CALL, '{"tool_name":"x"}', Outcome(code="TOOL_FAILED", error="E: no"), 0.1)
    (episode,) = load(tmp_path / "f")
    assert (episode.is_reset, episode.seed, episode.observation) == (False, None, None)
    assert (episode.acts[0].metadata, episode.acts[0].options) == ({}, {})
    assert episode.is_over


def test_places_of_lines_are_all_that_is_held(tmp_path: Path) -> None:
    written(tmp_path / "f", "a", "b", steps=100)
    found = stories(tmp_path / "f")
    assert [len(story.places) for story in found] == [102, 102]
    assert all(story.places.itemsize == 8 for story in found)


def test_lines_of_a_later_version_with_more_fields_are_read(tmp_path: Path) -> None:
    text = written(tmp_path / "f", "a")
    (tmp_path / "f").write_bytes(text.replace(b'"event"', b'"more":[1],"event"'))
    assert len(load(tmp_path / "f")[0].acts) == 3
    assert "more" not in Event.__struct_fields__
