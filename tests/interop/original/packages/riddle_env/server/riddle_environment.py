import asyncio
from typing import Any

from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.mcp_types import (
    CallToolAction,
    CallToolObservation,
    ListToolsAction,
    ListToolsObservation,
    Tool,
    ToolError,
    ToolErrorType,
)
from openenv.core.env_server.types import Observation, State

RIDDLES = {"train": [("One and one?", "2"), ("Two and two?", "4")], "test": [("Zero?", "0")]}
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
TOOLS = [
    Tool(name="answer", description="Answer the riddle.", input_schema=TEXT),
    Tool(name="hint", description="Ask for a hint.", input_schema={"type": "object"}),
]


class RiddleEnvironment(Environment):
    def __init__(self) -> None:
        self._state = State()
        self._riddle: tuple[str, str] | None = None

    def list_splits(self) -> list[Any]:
        return [*RIDDLES]

    async def list_tasks(self, split: str) -> list[Any]:
        await asyncio.sleep(0)
        return [self.get_task(split, index) for index in range(self.num_tasks(split))]

    def num_tasks(self, split: str) -> int:
        return len(RIDDLES[split])

    def get_task(self, split: str, index: int) -> dict[str, Any]:
        return {"id": f"{split}-{index}", "riddle": RIDDLES[split][index][0]}

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        split: str = "train",
        index: int = 0,
        **kwargs: Any,
    ) -> Observation:
        self._riddle = RIDDLES[split][index]
        self._state = State(episode_id=episode_id, split=split, index=index)
        return Observation(metadata={"prompt": self._riddle[0]})

    def step(self, action: Any, timeout_s: float | None = None, **kwargs: Any) -> Observation:
        if isinstance(action, ListToolsAction):
            return ListToolsObservation(tools=TOOLS)
        if not isinstance(action, CallToolAction):
            raise TypeError(f"not a tool: {type(action).__name__}")
        if self._riddle is None:
            raise RuntimeError("reset first")
        self._state.step_count += 1
        return self._called(action.tool_name, action.arguments, self._riddle[1])

    def _called(self, tool: str, arguments: dict[str, Any], right: str) -> Observation:
        if tool == "hint":
            return CallToolObservation(tool_name=tool, result={"letters": len(right)}, reward=-0.1)
        if tool == "answer":
            is_right = arguments.get("text") == right
            return CallToolObservation(
                tool_name=tool,
                result="right" if is_right else "wrong",
                reward=float(is_right),
                done=is_right,
                metadata={"tries": self._state.step_count},
            )
        error = ToolError(error_type=ToolErrorType.TOOL_NOT_FOUND, message=f"no tool {tool}")
        return CallToolObservation(tool_name=tool, result=None, error=error)

    @property
    def state(self) -> State:
        return self._state
