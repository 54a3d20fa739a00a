"""Who may come in: who shows a token of the settings, or whom the operator's verifier knows.

Source: RFC 6750 (bearer tokens), RFC 9728 (protected resource metadata), the authorization chapter
of MCP. A token is taken from the `Authorization` header alone, never from the URL.
"""

import asyncio
import hmac
import inspect
import logging
import re
import time
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from msgspec import Meta, Struct
from starlette.types import Scope

from openenv_lite import codec
from openenv_lite.errors import ConfigurationError
from openenv_lite.failures import is_authors
from openenv_lite.mcp.headers import Headers
from openenv_lite.server.settings import ServerSettings

__all__ = ["Authorization", "Principal", "Refusal", "Verdict", "bearer_token", "shows_token"]

log = logging.getLogger(__name__)

METADATA_PATH = "/.well-known/oauth-protected-resource/mcp"
RESOURCE_PATH = "/mcp"

_AUTHORITY = re.compile(r"(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?", re.IGNORECASE)
_SCOPE = re.compile(r"[!#-\[\]-~]+")
_SERVER = re.compile(r"https?://[^\s\"\\]+")


class Principal(Struct, frozen=True):
    """Who calls.

    Attributes:
        subject: Names the caller, and nobody else; not empty.
        scopes: What the caller may do.
        expires_at: When the token ceases to count, in seconds of Unix time; None is never.
    """

    subject: Annotated[str, Meta(min_length=1)]
    scopes: frozenset[str] = frozenset()
    expires_at: float | None = None


class Refusal(Struct, frozen=True):
    """The HTTP response for a request that is not let in; its body is a JSON-RPC error."""

    status: int
    body: bytes
    headers: list[tuple[bytes, bytes]]

    @classmethod
    def saying(cls, status: int, text: str, challenge: str | None = None) -> "Refusal":
        """A refusal that tells a person what to do, and with a challenge also a program."""
        code = -32600 if status < 500 else -32603
        body = codec.encode({"jsonrpc": "2.0", "error": {"code": code, "message": text}})
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        if challenge is not None:
            headers.append((b"www-authenticate", challenge.encode()))
        return cls(status, body, headers)


Verdict = Principal | Refusal | None
"""Who calls, or why not; None where anybody may, because no authorization is set up."""

MCP_TOKEN, CONTROL_TOKEN = "<mcp_token>", "<control_token>"
"""Subjects of those who show a token of the settings; a verifier cannot give them."""

_UNVERIFIED = Refusal.saying(503, "The token could not be verified; try again later")


class Authorization:
    """Judges bearer tokens.

    Args:
        settings: Names the tokens, or how they are verified.
        now: Unix time in seconds.

    Raises:
        ConfigurationError: The settings contradict each other.
    """

    def __init__(self, settings: ServerSettings, now: Callable[[], float] = time.time) -> None:
        _check(settings)
        self._verify = settings.verify_token
        self._timeout_s = settings.verify_timeout_s
        self._required = frozenset(settings.required_scopes)
        self._scope = " ".join(settings.required_scopes)
        self._servers = list(settings.authorization_servers)
        self._now = now
        known = ((settings.mcp_token, MCP_TOKEN), (settings.control_token, CONTROL_TOKEN))
        self._known = [
            (token.encode(), Principal(subject, self._required))
            for token, subject in known
            if token
        ]
        self.is_required = settings.mcp_token is not None or self._verify is not None
        self.decides_now = self._verify is None

    def authorize_now(self, headers: Headers, scope: Scope) -> Verdict:
        """The verdict as far as the tokens of the settings go; nobody else is asked."""
        if not self.is_required:
            return None
        given = bearer_token(headers)
        return self._holder(given) or self._unauthorized(headers, scope, given)

    async def authorize(self, headers: Headers, scope: Scope) -> Verdict:
        """The verdict, after the verifier was asked where there is one."""
        given = bearer_token(headers) if self.is_required else b""
        if self.decides_now or not given or not given.isascii():
            return self.authorize_now(headers, scope)
        found = self._holder(given) or await self._ask(given.decode())
        if found is None or _is_past(found, self._now()):
            return self._unauthorized(headers, scope, given)
        if isinstance(found, Principal) and not self._required <= found.scopes:
            return self._forbidden(headers, scope)
        return found

    def _holder(self, given: bytes) -> Principal | None:
        for token, principal in self._known:
            if hmac.compare_digest(given, token):
                return principal
        return None

    async def _ask(self, token: str) -> Verdict:
        """What the verifier says; what it raises is told to the log alone."""
        try:
            async with asyncio.timeout(self._timeout_s):
                found = self._verify(token)
                if inspect.isawaitable(found):
                    found = await found
            return _principal(found)
        except BaseException as error:
            if not is_authors(error):
                raise
            log.error("verify_token failed; to refuse a token it returns None", exc_info=error)
            return _UNVERIFIED

    def _unauthorized(self, headers: Headers, scope: Scope, given: bytes) -> Refusal:
        if not given:
            text = "This server wants a bearer token: send the header 'Authorization: Bearer …'"
            return Refusal.saying(401, text, self._challenge(headers, scope))
        text = "The token is not accepted here, or has expired; get a new one"
        return Refusal.saying(401, text, self._challenge(headers, scope, "invalid_token"))

    def _forbidden(self, headers: Headers, scope: Scope) -> Refusal:
        text = f"The token lacks a scope; this server wants: {self._scope}"
        return Refusal.saying(403, text, self._challenge(headers, scope, "insufficient_scope"))

    def _challenge(self, headers: Headers, scope: Scope, error: str | None = None) -> str:
        """What `WWW-Authenticate` says; nothing in it can hold a quotation mark."""
        found = {
            "error": error,
            "scope": self._scope or None,
            "resource_metadata": _url(headers, scope, METADATA_PATH),
        }
        return "Bearer " + ", ".join(f'{k}="{v}"' for k, v in found.items() if v is not None)

    def metadata(self, scope: Scope) -> bytes:
        """Where a client gets a token for this server: JSON, as RFC 9728 has it."""
        found: dict[str, Any] = {"resource": _url(dict(scope["headers"]), scope, RESOURCE_PATH)}
        if self._servers:
            found["authorization_servers"] = self._servers
        if self._required:
            found["scopes_supported"] = self._scope.split()
        return codec.encode({**found, "bearer_methods_supported": ["header"]})


def bearer_token(headers: Headers) -> bytes:
    """The token in the `Authorization` header; empty where there is none."""
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    return token.strip(b" \t") if scheme.lower() == b"bearer" else b""


def shows_token(headers: Headers, token: str | None) -> bool:
    """Whether the token is in the `Authorization` header; never where there is none to show."""
    return token is not None and hmac.compare_digest(bearer_token(headers), token.encode())


def _principal(found: Any) -> Principal | None:
    """What a verifier returned, as a principal; raises where it is none."""
    if found is None:
        return None
    fields = {"subject": found} if isinstance(found, str) else msgspec.structs.asdict(found)
    principal = msgspec.convert(fields, Principal)
    if principal.subject in (MCP_TOKEN, CONTROL_TOKEN):
        raise ValueError(f"A principal cannot be called {principal.subject!r}")
    return principal


def _is_past(found: Verdict, now: float) -> bool:
    expires_at = found.expires_at if isinstance(found, Principal) else None
    return expires_at is not None and not now < expires_at


def _url(headers: Headers, scope: Scope, path: str) -> str:
    """An address of this server, as the client knows it."""
    scheme = "https" if scope.get("scheme") in ("https", "wss") else "http"
    host = headers.get(b"host", b"").strip(b" \t").decode("latin-1")
    if not _AUTHORITY.fullmatch(host):  # it would break out of the quotation marks
        host = "localhost"
    root = quote(scope.get("root_path", ""), errors="replace")
    return f"{scheme}://{host}{root}{path}"


def _check(settings: ServerSettings) -> None:
    verify = settings.verify_token
    if verify is not None and not callable(verify):
        raise ConfigurationError("verify_token is not a function from a token to a Principal")
    if settings.mcp_token is not None and settings.mcp_token == settings.control_token:
        raise ConfigurationError("mcp_token and control_token are one; agents would have control")
    for name in ("required_scopes", "authorization_servers"):
        if verify is None and getattr(settings, name):
            raise ConfigurationError(f"{name} says nothing without verify_token, which is not set")
    for each in settings.required_scopes:
        if not _SCOPE.fullmatch(each):
            raise ConfigurationError(f"required_scopes: {each!r} is no scope; write one an entry")
    for each in settings.authorization_servers:
        if not _SERVER.fullmatch(each):
            raise ConfigurationError(f"authorization_servers: {each!r} is no http(s) URL")
