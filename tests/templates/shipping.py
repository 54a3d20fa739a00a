"""What is true of a package's container files, whichever archetype it is of."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.templates.container import Image, without_ours

__all__ = ["expect_a_healthy_server", "expect_a_small_image", "expect_two_services"]

NOTHING: Mapping[str, str] = {}


def expect_a_healthy_server(
    folder: Path, place: Path, variables: Mapping[str, str] = NOTHING
) -> None:
    """The Dockerfile's steps lead to a server in production mode, which its health check finds."""
    image = Image(folder, place)
    image.build()
    with image.started({**variables, "OPENENV_MODE": "production"}) as url:
        healthy = image.health_check(url)
        assert subprocess.run(healthy, env=without_ours(), timeout=20, check=False).returncode == 0
        assert httpx.get(f"{url}/list_environments").json() == [folder.name]
        assert httpx.post(f"{url}/reset").status_code == 404
    assert subprocess.run(healthy, capture_output=True, timeout=20, check=False).returncode != 0


def expect_a_small_image(folder: Path, place: Path) -> None:
    """Two stages of a small image, without a compiler, for a user who is not root."""
    image = Image(folder, place)
    assert [stage.split()[0] for stage in image.stages] == ["python:3.11-slim"] * 2
    assert image.steps[-1][0] == "CMD"
    assert image.given("USER") == ["runner"]
    assert image.given("EXPOSE") == ["8000"]
    assert not [step for step in image.given("RUN") if "apt" in step or "gcc" in step]
    assert "--only-binary=:all:" in " ".join(image.given("RUN"))
    after = [word for word, _ in image.steps[image.steps.index(("USER", "runner")) :]]
    assert not {"RUN", "COPY"} & {*after}


def expect_two_services(folder: Path) -> None:
    """Of one image, hardened alike; only the mode and the address differ, and who may call."""
    told: dict[str, Any] = yaml.safe_load((folder / "compose.yaml").read_text())
    services = told["services"]
    assert [*services] == ["simulation", "production"]
    variables = {name: service.pop("environment") for name, service in services.items()}
    ports = {name: service.pop("ports") for name, service in services.items()}
    assert ports == {
        "simulation": ["127.0.0.1:8000:8000"],
        "production": ["127.0.0.1:8001:8000"],
    }
    assert {name: each["OPENENV_MODE"] for name, each in variables.items()} == {
        name: name for name in services
    }
    tokens = {name for name in variables["production"] if name.endswith("TOKEN")}
    assert tokens == {"OPENENV_MCP_TOKEN", "OPENENV_CONTROL_TOKEN"}
    for service in services.values():
        assert service == {
            "build": ".",
            "image": folder.name,
            "read_only": True,
            "tmpfs": ["/tmp"],
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
        }
