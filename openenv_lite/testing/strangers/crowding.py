"""A server filled with sessions to the last, and what it says to one more."""

import enum
import time
from time import perf_counter

from openenv_lite.errors import ConnectionFailedError
from openenv_lite.testing.law import Unmet, Violation
from openenv_lite.testing.sessions.seen import short
from openenv_lite.testing.strangers.door import Door, Socket

__all__ = ["Crowd", "Ending"]

MOST_SESSIONS = 16
"""Opened at once to fill a server; one with more room is left alone."""

_SLOWEST_S = 0.5
"""A session that takes longer to open is too dear to open many."""

_CLEANING_S = 2.0
_PAUSE_S = 0.05

_BUSY = ("503", "429", "1013")
"""How a handshake is refused, or a connection ended, for want of room."""

_HELLO = {"type": "hello"}
"""Known to nobody, so that a session answers it with an error, in any mode."""


class Ending(enum.Enum):
    """How a client leaves."""

    SAYING_SO = "close"
    HANGING_UP = "hang up"
    VANISHING = "vanish"


class Crowd:
    """Sessions on one server.

    Args:
        door: To the server.
        lines: Where what is done is written down as Python.
    """

    def __init__(self, door: Door, lines: list[str]) -> None:
        self._door = door
        self._lines = lines
        self._sockets: list[Socket] = []
        self._had_any = False
        self._took_s = 0.0

    def fill(self) -> None:
        """Open sessions until one is refused as it should be.

        Raises:
            Unmet: There is no limit, or it is too far.
            Violation: What should be a refusal is something else.
        """
        if not self._had_any and not self.enters_soon():
            raise Unmet("room for one session at least")
        for _ in range(MOST_SESSIONS):
            if self._took_s > _SLOWEST_S:
                raise Unmet("sessions that open quickly")
            if not self.enter():
                return
        raise Unmet(f"a limit of fewer than {MOST_SESSIONS} sessions")

    def enter(self) -> bool:
        """Open one more session; False where it was refused for want of room.

        Raises:
            Unmet: There is no session to be had at all, or the server lets clients wait.
            Violation: It was refused in another way, or not answered.
        """
        name, began = f"s{len(self._sockets)}", perf_counter()
        self._lines.append(f"{name} = door.socket(); {name}.ask({_HELLO!r})")
        try:
            socket = self._door.socket()
        except ConnectionFailedError as error:
            line = self._lines.pop()
            self._lines.append(f"with suppress(OpenEnvError): {line}  # {error.message}")
            return self._refused(error.message)
        said = socket.ask(_HELLO)
        self._lines[-1] += f"  # {short(said)}"
        if said is None:
            return self._silent(socket)
        if _is_refusal(said):
            socket.close()
            return False
        self._sockets.append(socket)
        self._had_any, self._took_s = True, perf_counter() - began
        return True

    def _silent(self, socket: Socket) -> bool:
        """Nothing was said: the connection ended, or one waits for room."""
        loss = socket.loss
        if loss is not None:
            return self._refused(loss)
        if not self._had_any:
            raise Unmet("a session on /ws, where nothing is said")
        self.leave(Ending.SAYING_SO)
        if socket.hear() is None:
            raise Violation("one session more gets no answer, even when another has ended")
        raise Unmet("a refusal: this server lets clients wait")

    def _refused(self, why: str) -> bool:
        """False where the reason tells of want of room."""
        if any(each in why for each in _BUSY):
            return False
        if not self._had_any:
            raise Unmet(f"a session on /ws: {why}")
        raise Violation(f"one session more is not refused by name: {why}")

    def expect_all_alive(self) -> None:
        """Ask every session something.

        Raises:
            Violation: One does not answer any more.
        """
        for number, socket in enumerate(self._sockets):
            self._lines.append(f"s{number}.ask({_HELLO!r})")
            if socket.ask(_HELLO) is None:
                raise Violation("after a refusal the sessions there are answer no more")

    def enters_soon(self) -> bool:
        """Open one more session, within the time that a server may take to clean up."""
        until, place = perf_counter() + _CLEANING_S, len(self._lines)
        while not self.enter():
            if perf_counter() > until:
                return False
            time.sleep(_PAUSE_S)
            del self._lines[place:]
        return True

    def leave(self, ending: Ending) -> None:
        """End the last session."""
        socket = self._sockets.pop()
        name = f"s{len(self._sockets)}"
        if ending is Ending.SAYING_SO:
            self._lines.append(f"{name}.ask({{'type': 'close'}}); {name}.close()")
            socket.ask({"type": "close"})
            socket.close()
        elif ending is Ending.HANGING_UP:
            self._lines.append(f"{name}.close()")
            socket.close()
        else:
            self._lines.append(f"{name}.vanish()")
            socket.vanish()


def _is_refusal(said: object) -> bool:
    if not isinstance(said, dict) or said.get("type") != "error":
        return False
    data = said.get("data")
    return isinstance(data, dict) and data.get("code") == "CAPACITY_REACHED"
