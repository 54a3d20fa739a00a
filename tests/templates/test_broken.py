"""Container files broken in ways that authors break them: each is noticed without Docker."""

from pathlib import Path

import pytest
import yaml

from openenv_lite.cli.naming import named
from openenv_lite.cli.templates import template, write
from tests.templates.shipping import (
    expect_a_healthy_server,
    expect_a_small_image,
    expect_two_services,
)

DOCKERFILE = [
    ("COPY openenv.yaml models.py ./\n", "COPY openenv.yaml ./\n"),
    ("COPY openenv.yaml models.py ./\n", "COPY openenv.yaml model.py ./\n"),
    ("COPY server ./server\n", "COPY server ./srv\n"),
    ("COPY server ./server\n", "COPYY server ./server\n"),
    ("COPY pyproject.toml ./\n", ""),
    ("['dependencies']", "['requirements']"),
    ("-r requirements.txt", "-r requirement.txt"),
    ("--no-cache-dir", "--no-cache-dirs"),
    ("RUN python -m venv /opt/venv\n", ""),
    ("COPY --from=packages /opt/venv /opt/venv\n", ""),
    ("COPY --from=packages", "COPY --from=builder"),
    ("COPY --from=packages /opt/venv /opt/venv", "COPY --from=packages /opt/env /opt/venv"),
    ('ENV PATH="/opt/venv/bin:$PATH" PYTHON', "ENV PYTHON"),
    ("WORKDIR /app/env\nCOPY openenv", "COPY openenv"),
    ("RUN useradd --create-home --uid 1000 runner\n", ""),
    ("USER runner\n", ""),
    ("USER runner\n", "USER root\n"),
    ("EXPOSE 8000", "EXPOSE 7860"),
    ("127.0.0.1:8000/health", "127.0.0.1:7860/health"),
    ("8000/health", "8000/healthz"),
    ("--retries=3", "--retry=3"),
    ("server.app:app", "server.main:app"),
    ('"--host", "0.0.0.0"', '"--host", "127.0.0.1"'),
    ('"--port", "8000"', '"--port", "7860"'),
    ('"--ws-ping-timeout"', '"--ws-ping-timeouts"'),
    ("python:3.11-slim\nRUN", "python:3.11\nRUN"),
    ("RUN useradd", "RUN apt-get install -y gcc\nRUN useradd"),
]

OTHERS = [
    (".dockerignore", ".*\n", ".*\nmodels.py\n"),
    (".dockerignore", ".*\n", ".*\nserver\n"),
    ("pyproject.toml", "openenv-lite[server]", "openenv-light[server]"),
    ("compose.yaml", "OPENENV_MODE: production", "OPENENV_MODE: simulation"),
    ("compose.yaml", "127.0.0.1:8001:8000", "8001:8000"),
    ("compose.yaml", "8001:8000", "8000:8000"),
    ("compose.yaml", "  production:\n    <<: *environment\n", "  production:\n"),
    ("compose.yaml", "*environment", "*enviroment"),
    ("compose.yaml", "  simulation:\n", " simulation:\n"),
    ("compose.yaml", "cap_drop: [ALL]", "cap_add: [ALL]"),
]

NOTICED = (AssertionError, OSError, LookupError, ValueError, yaml.YAMLError)


@pytest.mark.parametrize(
    ("file", "old", "new"), [*(("Dockerfile", *each) for each in DOCKERFILE), *OTHERS]
)
def test_a_broken_file_is_noticed(file: str, old: str, new: str, tmp_path: Path) -> None:
    folder = tmp_path / "maze_env"
    write(template("game"), named("maze_env"), folder)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    with pytest.raises(NOTICED):
        expect_all(folder, tmp_path / "image")


def expect_all(folder: Path, place: Path) -> None:
    expect_two_services(folder)
    expect_a_small_image(folder, place)
    expect_a_healthy_server(folder, place)
