"""What ARCHITECTURE.md says of our subprotocol is generated from the code."""

import asyncio
import re
from pathlib import Path
from typing import Any

import msgspec

import openenv_lite
from openenv_lite.batches import (
    JSON,
    TABLE,
    Discard,
    Export,
    Fork,
    Import,
    Mcp,
    Open,
    Receive,
    Restore,
    Standing,
    Step,
)
from tests.server.test_ws import served
from tests.snapshots.worlds import Walk
from tests.vector.speaking import REPLY, Speaker

TEXT = (Path(openenv_lite.__file__).parent / "ARCHITECTURE.md").read_text()
SECTION = TEXT.partition("## Our subprotocol")[2].partition("\n## ")[0]


def fields_of(message: Any) -> str:
    """Names of the fields besides `id`; a question mark after those that may be left out."""
    fields = [each for each in msgspec.structs.fields(message) if each.name != "id"]
    return ", ".join(f"`{each.name}`" + ("" if each.required else "?") for each in fields)


def tag_of(message: Any) -> str:
    return str(message.__struct_config__.tag)


async def replies() -> dict[str, str]:
    """To each message, what a server does reply."""
    fitting: dict[str, Any] = {
        "step": Step(id=1, actions=[], lanes=[]),
        "receive": Receive(id=1, wait=1),
        "mcp": Mcp(id=1, lane=0, data={}),
        "restore": Restore(id=1, snapshots=[], lanes=[]),
        "fork": Fork(id=1, snapshots=[]),
        "export": Export(id=1, snapshots=[]),
        "import": Import(id=1, data=[]),
        "discard": Discard(id=1, snapshots=[]),
    }
    found = {}
    async with Speaker(served(Walk), JSON) as peer:
        await peer.want(Open(id=0))
        for name, row in TABLE.items():
            if name == "receive":
                await peer.want(Step(id=2, actions=[{"amount": 1}] * 2, lanes=[0, 1], wait=1))
            peer.post(fitting.get(name) or row.request(id=1))
            await asyncio.sleep(0.01)
            found[name] = f"`{tag_of(await peer.reply(1))}`" if peer.order else "none of its own"
    return found


def drawn_table() -> list[str]:
    replied = asyncio.run(replies())
    rows = ["| message | fields besides `id` | reply | in production |", "|---|---|---|---|"]
    for name, row in TABLE.items():
        known = "yes" if row.in_production else "with the control token"
        rows.append(f"| `{name}` | {fields_of(row.request)} | {replied[name]} | {known} |")
    return rows


def drawn_replies() -> list[str]:
    rows = ["| reply | fields besides `id` |", "|---|---|"]
    kinds = [getattr(each, "__origin__", each) for each in REPLY.__args__]
    return rows + [f"| `{tag_of(each)}` | {fields_of(each)} |" for each in kinds]


def drawn_lines() -> list[str]:
    lines = ["stateDiagram-v2", "  [*] --> unopened"]
    for name, row in TABLE.items():
        for standing in Standing:
            following = getattr(row, standing)
            if isinstance(following, Standing):
                lines.append(f"  {standing} --> {following}: {name}")
    return lines


def test_the_tables_are_the_code() -> None:
    tables = re.findall(r"(?:^\|.*\n)+", SECTION, re.MULTILINE)
    assert [each.splitlines() for each in tables] == [drawn_table(), drawn_replies()]


def test_the_state_diagram_is_the_table() -> None:
    drawn = re.search(r"^```mermaid\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
    assert drawn is not None
    assert drawn[1].splitlines() == drawn_lines()


def test_a_message_not_drawn_is_refused_with_the_error_of_the_table() -> None:
    refusals = {row.unopened for row in TABLE.values() if not isinstance(row.unopened, Standing)}
    assert {each.__name__ for each in refusals} == {"UnknownLaneError"}
    assert "UnknownLaneError" in SECTION
