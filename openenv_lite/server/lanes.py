"""Our subprotocol on `/ws`: who may speak it, and what becomes of lanes whose client leaves."""

import asyncio

from starlette.types import Receive, Scope, Send

from openenv_lite.batches import FORMATS, Format, RequestDecoder
from openenv_lite.conversation.dialect import OpenEnvDialect
from openenv_lite.pool import Pool
from openenv_lite.server.authorization import shows_token
from openenv_lite.server.dialogue import Dialogue, Reading
from openenv_lite.server.guard import Guard
from openenv_lite.server.requests import headers_of
from openenv_lite.server.settings import ServerSettings
from openenv_lite.server.socket_endpoint import let_in
from openenv_lite.types import ServerMode
from openenv_lite.vector import Vector

__all__ = ["LanesEndpoint"]

STRETCH_S = 0.005
"""How long the steps of one connection may hold the event loop before the others have a turn."""


class LanesEndpoint:
    """Serves clients that asked for one of our subprotocols.

    Args:
        pool: Where sessions come from; each lane is one.
        mode: In production there is no control, unless the peer shows the token.
        guard: Decides who is let in.
        settings: Limits.
    """

    def __init__(
        self, pool: Pool, mode: ServerMode, guard: Guard, settings: ServerSettings
    ) -> None:
        self._pool = pool
        self._mode = mode
        self._guard = guard
        self._token = settings.control_token
        self._limit = settings.max_message_bytes
        self._dialect = OpenEnvDialect(pool, mode)
        kind, most = pool.blueprint.action_type, pool.settings.max_sessions
        self._decoders = {
            (name, control): RequestDecoder(kind, form, mode, control, most)
            for name, form in FORMATS.items()
            for control in (False, True)
        }

    async def serve(self, form: Format, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket from handshake to close."""
        connection = await let_in(self._guard, scope, receive, send)
        if connection is None:
            return
        await connection.accept(None, form.subprotocol)
        vector = Vector(self._pool, self._mode, connection.principal, form.sealed, STRETCH_S)
        dialogue = Dialogue(connection, vector, self._reading(form, scope), self._dialect)
        is_lost = False
        try:
            is_lost = await dialogue.to_its_end()
        finally:
            await asyncio.shield(self._let_go(dialogue, vector, is_lost))

    def _reading(self, form: Format, scope: Scope) -> Reading:
        control = shows_token(headers_of(scope), self._token)
        decoder = self._decoders[form.subprotocol, control]
        return Reading(form, decoder.decode, self._limit, self._mode)

    async def _let_go(self, dialogue: Dialogue, vector: Vector, is_lost: bool) -> None:
        """End what is under way, at once or after the grace time, and let the sessions go."""
        await dialogue.stop()
        if is_lost:
            vector.leases.lose()
            await self._grace(vector)
        vector.cancel_all()
        await vector.leases.close_all()

    async def _grace(self, vector: Vector) -> None:
        """Let steps under way come to their end, so that their sessions can be taken up again."""
        grace_s = self._pool.settings.resume_grace_s
        ends = {
            asyncio.create_task(vector.idle()),
            asyncio.create_task(self._pool.clock.sleep(grace_s)),
        }
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for each in ends:
            each.cancel()
