"""One side of OpenEnv's `/ws` protocol without I/O: which reply is whose, and what a loss means.

Replies come strictly in order, one a request, and carry no id. So the exchange counts the replies
it is owed: the reply to the latest request is the one that settles the debt, and whatever comes
before it belongs to a call that has given up waiting.
"""

from collections.abc import Mapping

from openenv_lite.errors import (
    ConnectionLostError,
    OpenEnvError,
    SessionAttachedError,
    SessionError,
)

__all__ = [
    "CLOSE_WAIT_S",
    "FAREWELL",
    "NORMAL_CLOSURE",
    "READ_STATE",
    "SESSION_HEADER",
    "Exchange",
    "request",
]

SESSION_HEADER = "x-openenv-session-id"
"""Response header of the handshake in which our server names the session, so it can be resumed."""

READ_STATE = b'{"type":"state"}'
FAREWELL = b'{"type":"close"}'

CLOSE_WAIT_S = 5.0
"""How long a close waits for the server to have freed the session."""

NORMAL_CLOSURE = 1000


def request(kind: str, data: bytes) -> bytes:
    """A message frame; `data` is JSON text already."""
    return b'{"type":"%b","data":%b}' % (kind.encode(), data)


class Exchange:
    """What a client knows of its session, over as many connections as it takes.

    Attributes:
        attach: Session to attach to, where one was made beforehand; kept over every connection.
    """

    def __init__(self) -> None:
        self.owed = 0
        """Replies still to come on this connection."""
        self.resumed = False
        """Whether this connection took up a session that existed before it."""
        self.attach: str | None = None
        self._resumable: str | None = None
        self._used = False
        self._loss: ConnectionLostError | None = None

    def route(self, beginning: bool) -> str | None:
        """The session id to connect with, None for a session of its own.

        Args:
            beginning: The call begins an episode, so that none can be lost by it.

        Raises:
            ConnectionLostError: The episode went with the connection; only a reset can follow.
        """
        session = self.attach or self._resumable
        if session is None and self._loss is not None and not beginning:
            raise ConnectionLostError(
                f"{self._loss.message}; the episode is lost, so call reset() to begin another",
                **self._loss.details,
            )
        return session

    def opened(self, session: str | None, headers: Mapping[str, str]) -> None:
        """A connection stands; `session` is what `route` gave for it."""
        self.owed = 0
        self.resumed = session is not None
        self._used = self.resumed
        self._loss = None
        self._resumable = headers.get(SESSION_HEADER, session)

    def sent(self) -> None:
        """A request goes out; call it before the first byte does, for a send may be cut short."""
        self.owed += 1
        self._used = True

    def settles(self) -> bool:
        """Take note of a reply; whether it is the latest request's."""
        self.owed = max(self.owed - 1, 0)
        return self.owed == 0

    def broken(self, loss: ConnectionLostError) -> None:
        """The connection is gone, against this side's will."""
        if self._used:
            self._loss = loss
        if loss.details.get("close_code") == NORMAL_CLOSURE:
            self._resumable = None

    def turned_away(self, error: OpenEnvError) -> None:
        """The server has refused or ended the session, and closes the connection."""
        if not isinstance(error, SessionError):
            self.ended()
        elif not isinstance(error, SessionAttachedError):  # the old connection may yet go
            self.broken(ConnectionLostError(error.message, close_code=NORMAL_CLOSURE))

    def ended(self) -> None:
        """Nothing is left of the session, and no episode was lost: whatever follows begins anew."""
        self._resumable = self._loss = None
