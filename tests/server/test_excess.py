"""What is too deep, too long or too much costs its sender, and nobody else."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from openenv_lite import create_app
from tests.environments import Inline, Threaded, Toolbox

DEEP = [900, 960, 974, 976, 978, 985, 995]
FORMS = {
    "an extra field": '{"type":"mcp","data":{},"x":%s}',
    "data of a reset": '{"type":"reset","data":{"seed":%s}}',
    "data of a step": '{"type":"step","data":%s}',
    "an extra of a step": '{"type":"step","data":{"amount":1,"x":%s}}',
    "a type": '{"type":%s}',
}


@pytest.mark.parametrize("kind", [Inline, Threaded, Toolbox])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_any_depth_is_answered_and_the_session_goes_on(kind: Any, form: str) -> None:
    with TestClient(create_app(kind)) as http, http.websocket_connect("/ws") as socket:
        for depth in DEEP:
            socket.send_text(form % ("[" * depth + "]" * depth))
            assert socket.receive_json()["type"] in {"error", "mcp", "observation"}
        socket.send_text('{"type":"state"}')
        assert socket.receive_json()["type"] == "state"


@pytest.mark.parametrize("depth", DEEP)
def test_any_depth_over_http_is_answered_with_less_than_500(depth: int) -> None:
    deep = "[" * depth + "]" * depth
    call = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":%s}}'
    with TestClient(create_app(Toolbox), raise_server_exceptions=False) as http:
        for path, body in [("/mcp", call % f'{{"a":{deep}}}'), ("/reset", f'{{"seed":{deep}}}')]:
            assert http.post(path, content=body).status_code < 500


def test_a_refusal_is_never_larger_than_what_it_refuses() -> None:
    many = {f"name{number}": "x" * 50 for number in range(20_000)}
    call = {"name": "add", "arguments": many}
    rpc = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    with TestClient(create_app(Toolbox)) as http, http.websocket_connect("/ws") as socket:
        assert len(http.post("/mcp", json=rpc).content) < 5_000
        for message in (
            {"type": "x" * 1_000_000},
            {"type": "reset", "x" * 1_000_000: 1},
            {"type": "step", "data": {"type": "y" * 1_000_000}},
        ):
            socket.send_text(json.dumps(message))
            assert len(socket.receive_text()) < 5_000
