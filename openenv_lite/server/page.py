"""The door of `/web`: it is the trainer's, and opens to whom the other controls and `/ws` do."""

import base64
import binascii

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Message, Receive, Scope, Send

from openenv_lite.mcp.headers import Headers
from openenv_lite.server.authorization import Refusal
from openenv_lite.server.guard import Guard
from openenv_lite.server.replies import refuse
from openenv_lite.server.requests import headers_of
from openenv_lite.web import Page

__all__ = ["page_routes", "to_page"]

_FETCHED = "gradio_api/"
"""Below here Gradio gives out what others wrote, of any address of the web too."""
_DEVELOPMENT = "gradio_api/dev/"
"""A stream that a graceful stop would wait for, told of changes in a page's source."""
_SANDBOX = (b"content-security-policy", b"sandbox")
_CHALLENGE = (b"www-authenticate", b'Basic realm="the token as password", charset="UTF-8"')


def page_routes(page: Page, guard: Guard, max_bytes: int) -> list[BaseRoute]:
    """The routes of a page, which reads requests of so many bytes."""
    door = _Door(page, guard)
    return [
        Route("/web", to_page, include_in_schema=False),
        Route("/web/{below:path}", door, include_in_schema=False, max_body_size=max_bytes),
    ]


async def to_page(request: Request) -> Response:
    """Send a browser on; relative to where it is, for a proxy may have cut off a prefix."""
    return RedirectResponse("web/")


class _Door:
    def __init__(self, page: Page, guard: Guard) -> None:
        self._page = page
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _with_token(headers_of(scope))
        verdict = self._guard.check(headers, scope) or await self._guard.authorize(headers, scope)
        if not isinstance(verdict, Refusal):
            await self._let_in(scope["path_params"]["below"], scope, receive, send)
            return
        if verdict.status == 401:  # browsers ask for a password only by this challenge
            verdict = Refusal(401, verdict.body, [_CHALLENGE, *verdict.headers])
        await refuse(send, verdict)

    async def _let_in(self, below: str, scope: Scope, receive: Receive, send: Send) -> None:
        if below.startswith(_DEVELOPMENT):
            await Response(status_code=404)(scope, receive, send)
            return
        is_fetched = below.startswith(_FETCHED)
        await self._page(scope, receive, _sandboxing(send) if is_fetched else send)


def _sandboxing(send: Send) -> Send:
    """So that no script in an answer runs as one of this server, which may call its controls."""

    async def sandboxed(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], _SANDBOX]}
        await send(message)

    return sandboxed


def _with_token(headers: Headers) -> Headers:
    """The password that a browser was given is the token."""
    scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"basic":
        return headers
    try:
        _, _, token = base64.b64decode(given.strip(b" \t"), validate=True).partition(b":")
    except binascii.Error:
        token = b""
    return {**headers, b"authorization": b"Bearer " + token}
