"""Mistakes with what may follow what."""

import asyncio
import functools
import threading
import uuid
from typing import Any

from starlette.types import Message, Receive, Send

from openenv_lite import State, create_app
from tests.testing.gallery.exhibit import Exhibit
from tests.testing.gallery.servers import (
    Climb,
    Go,
    SpoiltServer,
    error,
    observation,
)

__all__ = ["EXHIBITS"]


class CannotBeBuilt(Climb):
    """Its constructor wants what the machine has not."""

    def __init__(self) -> None:
        raise RuntimeError("no GPU here")


class Listening(Climb):
    """Takes one of some ports for each session, and gives none back."""

    def __init__(self, ports: list[int]) -> None:
        super().__init__()
        self.port = ports.pop()


class KeepsItsPorts(SpoiltServer):
    """A server that is soon out of ports."""

    def __init__(self) -> None:
        super().__init__()
        self._app = create_app(functools.partial(Listening, [8001, 8002]))


class LosesSlots(SpoiltServer):
    """Has three slots, and frees none when a client goes."""

    taken = 0

    async def converse(self, scope: Any, receive: Receive, send: Send) -> None:
        self.taken += 1
        await super().converse(scope, receive, send)

    def reply(self, frame: str, reply: Message) -> Message:
        return error("CAPACITY_REACHED") if self.taken > 2 else reply


class InsistsOnASeed(Climb):
    """Does not begin without a seed."""

    def reset(self, seed: int) -> Any:  # type: ignore[override]
        return super().reset(seed)


class RefusesToBeginAnew(Climb):
    """Wants each episode to be played to its end."""

    def reset(self, seed: int | None = None) -> Any:
        if 0 < abs(self.height) < 4:
            raise RuntimeError("the episode is not over yet")
        return super().reset(seed)


class StaysAtTheTop(Climb):
    """Does not take back what ended the last episode."""

    def reset(self, seed: int | None = None) -> Any:
        if abs(self.height) < 4:
            self.height = 0
        return self.seen(0.0)


class NeedsAResetForItsState(Climb):
    """Makes in `reset` what its state tells."""

    def __init__(self) -> None:
        """Nothing is there yet."""

    @property
    def state(self) -> State:
        self._episode.height = self.height  # type: ignore[attr-defined]
        return self._episode


class ChokesOnOptions(Climb):
    """Takes its lock, fails at an option that it does not know, and keeps the lock."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    def reset(self, seed: int | None = None, **options: Any) -> Any:
        if not self.lock.acquire(blocking=False):
            raise RuntimeError("a reset is under way")
        for name in options:
            if name != "episode_id":
                raise KeyError(name)
        self.lock.release()
        return super().reset(seed)


class StepsBeforeAReset(SpoiltServer):
    """Hands every action to the environment."""

    def reply(self, frame: str, reply: Message) -> Message:
        return observation() if reply["data"].get("code") == "RESET_REQUIRED" else reply


class StepsAfterTheEnd(SpoiltServer):
    """Does not know that the episode is over."""

    def reply(self, frame: str, reply: Message) -> Message:
        is_over = reply["data"].get("code") == "EPISODE_DONE"
        return observation(4, done=True) if is_over else reply


class NeverCounts(Climb):
    """Returns a state of its own, with the right id and nothing else."""

    @property
    def state(self) -> State:
        return State(episode_id=self._episode.episode_id)


class CountsOn(Climb):
    """Goes on counting over all episodes."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0

    def step(self, action: Go) -> Any:
        self.steps += 1
        return super().step(action)

    @property
    def state(self) -> State:
        return State(episode_id=self._episode.episode_id, step_count=self.steps)


class ForgetsStepCount(SpoiltServer):
    """Leaves out of the state what its schema promises."""

    def reply(self, frame: str, reply: Message) -> Message:
        if reply["type"] == "state":
            del reply["data"]["step_count"]
        return reply


class MakesUpItsId(Climb):
    """Gives each episode an id of its own, whatever was asked for."""

    def reset(self, seed: int | None = None) -> Any:
        self._episode.episode_id = str(uuid.UUID(int=self.rng.getrandbits(128)))
        return super().reset(seed)


class ClosesWhatIsNotThere(Climb):
    """Closes what only a reset opens."""

    def reset(self, seed: int | None = None) -> Any:
        self.journal: list[int] = []
        return super().reset(seed)

    def close(self) -> None:
        self.journal.clear()


class LeavesAThread(Climb):
    """Starts a thread that nobody ends."""

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()
        threading.Thread(target=self.over.wait, args=(60,), name="clock", daemon=True).start()


class TalksAfterItsClose(SpoiltServer):
    """Cleans up in the background, and answers until that is done."""

    async def converse(self, scope: Any, receive: Receive, send: Send) -> None:
        heard: asyncio.Queue[Message] = asyncio.Queue()

        async def listen() -> None:
            while True:
                message = await receive()
                if '"close"' in message.get("text", ""):
                    asyncio.get_running_loop().call_later(0.01, heard.put_nowait, message)
                else:
                    heard.put_nowait(message)

        listener = asyncio.create_task(listen())
        try:
            await super().converse(scope, heard.get, send)
        finally:
            listener.cancel()


EXHIBITS = [
    Exhibit(CannotBeBuilt, "sessions_can_be_opened"),
    Exhibit(KeepsItsPorts, "closed_sessions_make_room", is_app=True),
    Exhibit(LosesSlots, "closed_sessions_make_room", is_app=True),
    Exhibit(InsistsOnASeed, "reset_succeeds_at_any_time"),
    Exhibit(RefusesToBeginAnew, "reset_succeeds_at_any_time"),
    Exhibit(StaysAtTheTop, "reset_begins_a_live_episode"),
    Exhibit(NeedsAResetForItsState, "state_is_defined_at_any_time"),
    Exhibit(ChokesOnOptions, "unknown_options_do_no_harm"),
    Exhibit(StepsBeforeAReset, "step_before_a_reset_is_refused", is_app=True),
    Exhibit(StepsAfterTheEnd, "step_after_the_end_is_refused", is_app=True),
    Exhibit(NeverCounts, "step_count_counts_steps"),
    Exhibit(CountsOn, "step_count_counts_steps"),
    Exhibit(ForgetsStepCount, "step_count_counts_steps", is_app=True),
    Exhibit(MakesUpItsId, "episode_id_is_as_asked"),
    Exhibit(ClosesWhatIsNotThere, "close_succeeds"),
    Exhibit(LeavesAThread, "close_ends_its_threads"),
    Exhibit(TalksAfterItsClose, "a_closed_session_answers_nothing", is_app=True),
]
