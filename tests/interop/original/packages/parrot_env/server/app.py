"""A parrot in a harness of OpenEnv's; it counts with a tool."""

from collections.abc import AsyncIterator
from typing import Any

from fastmcp import Client, FastMCP
from openenv.core.env_server import create_app
from openenv.core.env_server.types import Observation
from openenv.core.harness.adapter import AgenticHarnessAdapter
from openenv.core.harness.config import HarnessConfig
from openenv.core.harness.environment import HarnessAction, HarnessEnvironment
from openenv.core.harness.events import HarnessEvent, HarnessEventType


class Parrot(AgenticHarnessAdapter):
    def __init__(self) -> None:
        super().__init__(HarnessConfig(name="parrot", command=["parrot"], working_directory="."))
        self._is_alive = False
        self._url: str | None = None

    async def start(self, working_directory: str) -> None:
        self._is_alive = True

    async def stop(self) -> None:
        self._is_alive = False

    async def inject_tools(self, tools: list[Any], bridge_url: str | None = None) -> None:
        self._url = bridge_url

    async def send_message_streaming(self, message: str) -> AsyncIterator[HarnessEvent]:
        said = str(await self._twice(int(message))) if message.isdigit() else message
        told = {"response": said, "done": message == "goodbye"}
        yield HarnessEvent(type=HarnessEventType.TURN_COMPLETE, timestamp=1.0, data=told)

    async def _twice(self, number: int) -> Any:
        async with Client(self._url) as client:
            return (await client.call_tool("twice", {"number": number})).data

    async def is_alive(self) -> bool:
        return self._is_alive


def cage() -> HarnessEnvironment:
    server = FastMCP("parrot")

    @server.tool
    def twice(number: int) -> int:
        """Twice as much."""
        return 2 * number

    return HarnessEnvironment(Parrot(), server)


app = create_app(cage, HarnessAction, Observation, env_name="parrot_env")
