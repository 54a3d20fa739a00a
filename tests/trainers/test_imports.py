"""Trainers' packages are asked for by the modules named for them, and by no other."""

import importlib
import subprocess
import sys

import pytest

from openenv_lite.trainers.rows import options_of

PACKAGES = ["skyrl_gym", "torch", "trl", "verl", "nemo_rl", "ray", "pydantic", "omegaconf", "PIL"]


def test_what_all_share_needs_none_of_them() -> None:
    code = (
        "import sys, openenv_lite.trainers, openenv_lite.trainers.rllm, openenv_lite.trainers.lanes"
        f"; print([each for each in {PACKAGES} if each in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("module", "package", "advice"),
    [
        ("verl", "verl", "pip install verl"),
        ("nemo_rl", "torch", "install NeMo-RL from its repository"),
        ("skyrl", "skyrl_gym", "pip install skyrl-gym"),
    ],
)
def test_who_lacks_one_is_told_what_to_install(
    module: str, package: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for known in [each for each in sys.modules if each.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, known)
    monkeypatch.delitem(sys.modules, f"openenv_lite.trainers.{module}", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Lacking(package), *sys.meta_path])
    with pytest.raises(ModuleNotFoundError, match=advice) as refused:
        importlib.import_module(f"openenv_lite.trainers.{module}")
    assert refused.value.name == package


class Lacking:
    """Finds no module of a package, installed or not."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.split(".")[0] == self.package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_a_row_tells_what_json_can_carry() -> None:
    row = {"seed": 7, "nothing": None, "tensor": object(), "own": 1, "nested": {"x": [1]}}
    assert options_of(row, ("own",)) == {"seed": 7, "nested": {"x": [1]}}
