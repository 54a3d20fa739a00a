import logging
from typing import Any

import pytest

from openenv_lite.errors import ConfigurationError, ConnectionFailedError, OpenEnvError
from openenv_lite.outside import OutsideServer
from tests.leaks import on_loop
from tests.outside.mounting import free_port, http_server, listening

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({}, "one of the two"),
        ({"command": []}, "one of the two"),
        ({"command": ["x"], "url": "http://x"}, "one of the two"),
        ({"command": "npx some-server"}, "list of strings"),
        ({"command": ["x", 1]}, "list of strings"),
        ({"command": ["x"], "headers": {}}, "`headers=` goes with a URL"),
        ({"url": "http://x", "env": {}}, "`env=` goes with a command"),
        ({"url": "http://x", "cwd": "/"}, "`cwd=` goes with a command"),
        ({"url": "localhost:8000/mcp"}, "http://"),
        ({"url": "ftp://x/mcp"}, "http://"),
        ({"url": "http://x", "headers": {"a b": "c"}}, "header 'a b'"),
        ({"url": "http://x", "timeout_s": 0}, "timeout_s"),
        ({"url": "http://x", "timeout_s": float("nan")}, "timeout_s"),
        ({"url": "http://x", "restarts": -1}, "restarts"),
    ],
)
def test_what_cannot_be_right_is_refused_at_once(arguments: Any, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        OutsideServer(**arguments)


def test_an_unknown_argument_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="comand"):
        OutsideServer(comand=["x"])  # type: ignore[call-arg]


@pytest.mark.parametrize("value", [f"{SECRET}\n", f" {SECRET}", f"{SECRET}\r\nX: y", f"{SECRET}é"])
def test_a_header_that_cannot_be_sent_is_not_quoted(value: str) -> None:
    with pytest.raises(ConfigurationError, match="header 'X-Key'") as caught:
        OutsideServer(url="http://x/mcp", headers={"X-Key": value})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("server", "label"),
    [
        (
            OutsideServer(
                url=f"http://me:{SECRET}@127.0.0.1:1/mcp?key={SECRET}#{SECRET}",
                headers={"Authorization": f"Bearer {SECRET}"},
            ),
            "http://127.0.0.1:1/mcp",
        ),
        (OutsideServer(command=["/no/such", "--key", SECRET], env={"KEY": SECRET}), "such"),
    ],
)
@on_loop
async def test_neither_repr_nor_error_tells_a_secret(server: OutsideServer, label: str) -> None:
    assert repr(server) == f"OutsideServer({label!r})"
    with pytest.raises(ConnectionFailedError) as caught:
        await server.connect()
    error: BaseException | None = caught.value
    assert isinstance(error, OpenEnvError)
    assert f"Outside server {label!r}" in error.message
    while error is not None:
        assert SECRET not in f"{error} {error!r}"
        error = error.__cause__ or error.__context__


@on_loop
async def test_a_server_that_wants_another_token_says_so_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    port = free_port()
    with http_server(port, "locked"):
        await listening(port)
        headers = {"Authorization": f"Bearer {SECRET}"}
        with pytest.raises(ConnectionFailedError):
            await OutsideServer(url=f"http://127.0.0.1:{port}/mcp", headers=headers).connect()
    assert "answers HTTP 401; see `headers=`" in caplog.text
    assert SECRET not in caplog.text
