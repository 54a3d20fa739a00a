"""Recordings as tables, by the packages that trainers have."""

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import msgspec
import pyarrow
import pytest

from openenv_lite.errors import ConfigurationError
from openenv_lite.recording import schema, table
from openenv_lite.recording.account import Account, Beginning
from openenv_lite.recording.events import About, Event, Kind, Outcome, outcome_of, text_of
from openenv_lite.recording.recorder import Recorder
from openenv_lite.types import StepResult
from tests.cli.process import ROOT

OBSERVATIONS: list[Any] = [{"a": 1}, {"a": "one"}, {"a": [1.5], "b": {}}, {"a": None}, {"a": True}]
"""Of types that no column could have together."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files: one of an environment that gives no rewards and has no seeds, and another."""
    for name, seed, reward in (("a", None, None), ("b", 7, 1)):
        recorder = Recorder.to_file(tmp_path / f"{name}.jsonl")
        recorder.join()
        account = Account(recorder, name, About("m:Env"))
        account.begin(Beginning("e", seed), Outcome(observation="{}"))
        for seen in OBSERVATIONS:
            outcome = outcome_of(StepResult(seen, reward, False))
            account.act(Kind.STEP, text_of(seen), outcome, 0.1)
        account.leave()
        recorder.leave()
    return tmp_path


def test_the_columns_are_the_keys_of_a_line(folder: Path) -> None:
    assert schema().names == list(Event.__struct_fields__)
    line = (folder / "a.jsonl").read_bytes().splitlines()[0]
    assert list(msgspec.json.decode(line)) == schema().names


def test_an_arrow_table_has_a_row_an_event(folder: Path) -> None:
    found = table(folder)
    assert isinstance(found, pyarrow.Table)
    assert found.schema == schema()
    assert found["event"].to_pylist() == ["begin", *["step"] * 5, "end"] * 2
    assert found["reward"].to_pylist() == [*[None] * 8, *[1.0] * 5, None]
    assert found["seed"].to_pylist() == [*[None] * 7, 7, *[None] * 6]
    shown = [msgspec.json.decode(text) for text in found["observation"].to_pylist()[1:6]]
    assert shown == OBSERVATIONS


def test_a_table_can_be_as_long_as_you_like(folder: Path, monkeypatch: Any) -> None:
    tables = importlib.import_module("openenv_lite.recording.tables")
    whole = table(folder)
    monkeypatch.setattr(tables, "_AT_ONCE", 3)
    assert table(folder).equals(whole)


def test_a_recording_that_was_cut_short_is_a_table(folder: Path) -> None:
    path = folder / "a.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    assert table(path).num_rows == 6


@pytest.mark.parametrize("told", [False, True])
def test_datasets_loads_the_files_as_they_are(folder: Path, tmp_path: Path, told: bool) -> None:
    features = datasets.Features.from_arrow_schema(schema()) if told else None
    files = str(folder / "b.jsonl") if not told else [str(each) for each in folder.glob("*.jsonl")]
    found = datasets.load_dataset(
        "json",
        data_files=files,
        features=features,
        cache_dir=str(tmp_path / "cache"),
        split="train",
    )
    assert found.column_names == schema().names
    assert [row["event"] for row in found].count("step") == (10 if told else 5)
    steps = found.filter(lambda row: row["event"] == "step" and row["session"] == "b")
    assert [msgspec.json.decode(row["observation"]) for row in steps] == OBSERVATIONS
    assert set(steps["reward"]) == {1.0}


def test_without_pyarrow_it_is_told_what_to_install() -> None:
    program = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from openenv_lite.recording import load, table\n"
        "table('nothing')"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert f"{ConfigurationError.__name__}: pyarrow is missing" in found.stderr
    assert "pip install 'openenv-lite[arrow]'" in found.stderr
