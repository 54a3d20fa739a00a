"""Connections of a client that records: what passes is told to a recording as it passes.

Without `record=` none of this is in the way. Replies to calls that gave up waiting are recorded as
well, and an action whose reply never came is recorded with the code of what it is: lost.
"""

import uuid
from collections import deque
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import msgspec

from openenv_lite.client.exchange import SESSION_HEADER
from openenv_lite.client.remote_errors import error_of
from openenv_lite.client.target import Target
from openenv_lite.client.transport import AsyncTransport, SyncTransport
from openenv_lite.errors import ConnectionLostError, OpenEnvError
from openenv_lite.recording.account import Account, Beginning
from openenv_lite.recording.events import (
    About,
    Kind,
    Outcome,
    failure,
    is_refusal,
    seed_and_options,
)
from openenv_lite.recording.recorder import Recorder
from openenv_lite.types import Reward

__all__ = ["Ledger", "RecordedSync", "RecordedTransport", "ledger_of"]

_NOTHING = msgspec.Raw(b"null")
_LOOKED_UP = "list_tools"


class Ledger:
    """What a client records, over as many connections as it takes.

    Attributes:
        recorder: Where to.
    """

    def __init__(self, recorder: Recorder, about: About) -> None:
        self.recorder = recorder
        self._about = about
        self._accounts: dict[str, Account] = {}

    def account(self, session: str) -> Account:
        """That of a session, begun or gone on with."""
        if session not in self._accounts:
            self._accounts[session] = Account(self.recorder, session, self._about)
        return self._accounts[session]

    def close(self, session: str) -> None:
        """The session is over."""
        self._accounts.pop(session).leave()


def ledger_of(target: Target) -> Ledger | None:
    """What a client of this server records with; None where it does not.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    path = target.settings.record
    return None if path is None else Ledger(Recorder.to_file(path), About(target.base_url))


class _Frame(msgspec.Struct):
    type: str
    data: msgspec.Raw = _NOTHING


class _Typed(msgspec.Struct):
    type: str = ""


class _Payload(msgspec.Struct):
    observation: msgspec.Raw = _NOTHING
    reward: Reward = None
    done: bool = False
    metadata: msgspec.Raw = _NOTHING
    truncated: bool = False


_decode_frame = msgspec.json.Decoder(_Frame).decode
_decode_typed = msgspec.json.Decoder(_Typed, strict=False).decode
_decode_payload = msgspec.json.Decoder(_Payload).decode
_decode_plain = msgspec.json.Decoder(dict[str, Any]).decode


class _Transcript:
    """The frames of one connection, either way; replies come in the order of the requests."""

    def __init__(self, ledger: Ledger, session: str) -> None:
        self._ledger = ledger
        self._session = session
        self._account = ledger.account(session)
        self._owed: deque[Callable[[Outcome], None]] = deque()
        self._is_closing = False
        ledger.recorder.join()

    def sent(self, frame: bytes) -> None:
        """A request goes out."""
        request = _decode_frame(frame)
        if request.type == "close":
            self._is_closing = True
        else:
            self._owed.append(self._telling(request))

    def _telling(self, request: _Frame) -> Callable[[Outcome], None]:
        """What tells of a request when its outcome is there."""
        began = perf_counter()
        if request.type == "reset":
            beginning = self._beginning(_decode_plain(request.data))
            return lambda outcome: self._account.begin(beginning, outcome, perf_counter() - began)
        if request.type == "step" and _decode_typed(request.data).type != _LOOKED_UP:
            action = bytes(request.data).decode()
            return lambda outcome: self._account.act(
                Kind.STEP, action, outcome, perf_counter() - began
            )
        return lambda outcome: None

    def _beginning(self, options: Mapping[str, Any]) -> Beginning:
        episode = options.get("episode_id")
        return Beginning(str(episode or uuid.uuid4()), *seed_and_options(options))

    def received(self, frame: bytes) -> None:
        """A reply has come."""
        if not self._owed:
            return
        tell = self._owed.popleft()
        try:
            outcome = _outcome_of(_decode_frame(frame))
        except OpenEnvError as error:
            if is_refusal(error):
                return
            outcome = failure(error)
        except msgspec.MsgspecError as error:
            outcome = failure(OpenEnvError(f"The reply cannot be read: {error}"))
        tell(outcome)

    def ended(self) -> None:
        """No more replies will come."""
        loss = failure(ConnectionLostError("Its reply was not received"))
        while self._owed:
            self._owed.popleft()(loss)
        if self._is_closing:
            self._ledger.close(self._session)
        self._ledger.recorder.leave()


def _outcome_of(reply: _Frame) -> Outcome:
    if reply.type == "error":
        raise error_of(_decode_plain(reply.data))
    if reply.type != "observation":
        return Outcome()
    payload = _decode_payload(reply.data)
    metadata = bytes(payload.metadata).decode()
    return Outcome(
        observation=bytes(payload.observation).decode(),
        reward=None if payload.reward is None else float(payload.reward),
        done=payload.done,
        truncated=payload.truncated,
        metadata="" if metadata in ("null", "{}") else metadata,
    )


def _session_of(headers: Mapping[str, str], asked_for: str | None) -> str:
    """The session's id; one of our own where the server does not tell."""
    return headers.get(SESSION_HEADER) or asked_for or str(uuid.uuid4())


class RecordedTransport:
    """An `AsyncTransport` that is recorded."""

    def __init__(self, inner: AsyncTransport, ledger: Ledger) -> None:
        self._inner = inner
        self._ledger = ledger
        self._transcript: _Transcript | None = None

    async def connect(self, session: str | None) -> Mapping[str, str]:
        """See `AsyncTransport`."""
        headers = await self._inner.connect(session)
        self._transcript = _Transcript(self._ledger, _session_of(headers, session))
        return headers

    async def loss(self) -> ConnectionLostError | None:
        """See `AsyncTransport`."""
        return await self._inner.loss()

    async def send(self, frame: bytes) -> None:
        """See `AsyncTransport`."""
        assert self._transcript
        self._transcript.sent(frame)
        await self._inner.send(frame)

    async def receive(self, timeout_s: float | None) -> bytes:
        """See `AsyncTransport`."""
        assert self._transcript
        frame = await self._inner.receive(timeout_s)
        self._transcript.received(frame)
        return frame

    def listen(
        self, heard: Callable[[bytes], None], ended: Callable[[ConnectionLostError], None]
    ) -> None:
        """See `AsyncTransport`."""
        assert self._transcript
        received = self._transcript.received

        def overhear(frame: bytes) -> None:
            received(frame)
            heard(frame)

        self._inner.listen(overhear, ended)

    async def close(self, wait_s: float) -> None:
        """See `AsyncTransport`."""
        try:
            await self._inner.close(wait_s)
        finally:
            _end(self)


class RecordedSync:
    """A `SyncTransport` that is recorded."""

    def __init__(self, inner: SyncTransport, ledger: Ledger) -> None:
        self._inner = inner
        self._ledger = ledger
        self._transcript: _Transcript | None = None

    def connect(self, session: str | None) -> Mapping[str, str]:
        """See `SyncTransport`."""
        headers = self._inner.connect(session)
        self._transcript = _Transcript(self._ledger, _session_of(headers, session))
        return headers

    def loss(self) -> ConnectionLostError | None:
        """See `SyncTransport`."""
        return self._inner.loss()

    def send(self, frame: bytes) -> None:
        """See `SyncTransport`."""
        assert self._transcript
        self._transcript.sent(frame)
        self._inner.send(frame)

    def receive(self, timeout_s: float | None) -> bytes:
        """See `SyncTransport`."""
        assert self._transcript
        frame = self._inner.receive(timeout_s)
        self._transcript.received(frame)
        return frame

    def close(self, wait_s: float) -> None:
        """See `SyncTransport`."""
        try:
            self._inner.close(wait_s)
        finally:
            _end(self)


def _end(transport: RecordedTransport | RecordedSync) -> None:
    transcript, transport._transcript = transport._transcript, None
    if transcript is not None:
        transcript.ended()
