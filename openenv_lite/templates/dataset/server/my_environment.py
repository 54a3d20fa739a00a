"""One question an episode; the answers stay on the server."""

from pathlib import Path
from typing import Any

from msgspec.json import Decoder

from openenv_lite import MCPEnvironment, Observation, StructBacked

try:
    from ..models import Answer, Episode, Row
except ImportError:  # in the container this folder is no package
    from models import Answer, Episode, Row

__all__ = ["ROWS", "MyEnvironment"]

ROWS = tuple(Decoder(Row).decode_lines(Path(__file__).with_name("data.jsonl").read_bytes()))


class MyEnvironment(StructBacked[Episode], MCPEnvironment):
    """Answer a question."""

    SUPPORTS_CONCURRENT_SESSIONS = True  # all read the same rows, and nobody changes them
    BLOCKING = False  # a call takes microseconds: no thread for it

    def __init__(self) -> None:
        self.world = self._drawn()
        self.tool(self.question)
        self.tool(self.answer)

    def reset(self, row: int | None = None) -> Observation:
        """Ask a question.

        Args:
            row: Its number, for trainers who go through all of them; else the seed draws one.
        """
        self.world = self._drawn() if row is None else Episode(row % len(ROWS))
        return Observation(metadata={"question": self.question()})

    def _drawn(self) -> Episode:
        return Episode(self.rng.randrange(len(ROWS)))

    def step(self, action: Any, **options: Any) -> Observation:
        """Call a tool; an answer ends the episode, the right one is rewarded."""
        seen: Observation = super().step(action, **options)
        seen.done = self.world.answered is not None
        seen.reward = float(seen.done and self._is_right())
        return seen

    def _is_right(self) -> bool:
        given = self.world.answered or ""
        return given.strip().casefold() == ROWS[self.world.row].answer.casefold()

    def question(self) -> str:
        """Read the question."""
        return ROWS[self.world.row].question

    def answer(self, text: Answer) -> str:
        """Answer the question; only the first answer counts."""
        if self.world.answered is None:
            self.world.answered = text
        return "Thank you."
