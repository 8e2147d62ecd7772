"""Who may use the pages, and with which key of the endpoint.

An endpoint that asks for no key, or whose key the program was started with, is open to this
machine alone. Any other asks whoever opens the page for its key: once, by a form, whose answer
stays in this process. The browser holds a random session id in a cookie, and nothing else.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING

from remora.client.async_endpoint import AsyncEndpoint
from remora.errors import EndpointError
from remora.loopback import header, host_name, is_loopback, is_own_origin

if TYPE_CHECKING:
    from starlette.types import Scope

MAX_SESSIONS = 1024
REFUSED = {401, 403}


@dataclass(slots=True)
class Access:
    """Sessions of one set of pages. ``asks`` is None until the endpoint has said whether it
    wants a key."""

    endpoint: AsyncEndpoint
    allowed_hosts: tuple[str, ...] = ()
    asks: bool | None = None
    _keys: dict[str, str] = field(default_factory=dict, repr=False)

    async def find_out(self) -> bool:
        """Whether whoever opens the page must give a key; raises `EndpointError`."""
        if self.asks is None:
            try:
                await self.endpoint.models()
            except EndpointError as error:
                if error.status not in REFUSED:
                    raise
                self.asks = True
            else:
                self.asks = False
        return self.asks

    async def sign_in(self, key: str) -> str:
        """A new session id; raises `EndpointError` for a key that the endpoint refuses."""
        if not (key.isascii() and key.isprintable() and key.strip()):
            raise EndpointError("That is not a key of this endpoint.", status=401)
        await self.endpoint.with_key(key.strip()).models()
        while len(self._keys) >= MAX_SESSIONS:
            del self._keys[next(iter(self._keys))]
        session = secrets.token_urlsafe(32)
        self._keys[session] = key.strip()
        return session

    def sign_out(self, cookies: Mapping[str, str]) -> None:
        """Forget the session's key."""
        for name, value in cookies.items():
            if name.startswith("remora_"):
                self._keys.pop(value, None)

    def endpoint_for(self, cookies: Mapping[str, str]) -> AsyncEndpoint:
        """The endpoint with the session's key; raises `EndpointError` without a session."""
        if self.asks is False:
            return self.endpoint
        for name, value in cookies.items():
            if name.startswith("remora_") and (key := self._keys.get(value)):
                return self.endpoint.with_key(key)
        raise EndpointError("You are not signed in.", status=401)

    def refusal(self, scope: Scope) -> str | None:
        """Why a request may not even ask; None if it may."""
        host = header(scope["headers"], b"host")
        if not is_own_origin(header(scope["headers"], b"origin"), host):
            return "Web pages of other origins may not use this."
        if self.asks:
            return None
        client = scope.get("client")
        if self.asks is False and not (client and is_loopback(client[0])):
            return "These pages are open to their own machine alone."
        name = host_name(host)
        if not (is_loopback(name) or name in self.allowed_hosts) and self.asks is False:
            return "These pages are open to their own machine alone, as http://127.0.0.1."
        return None


def session_cookie(scope: Scope, session: str) -> str:
    """The header that gives a browser its session; no other site can have it sent.

    In a tab it is ``SameSite=Strict``. A frame (an editor's built-in browser) would get no such
    cookie, so there it is ``Partitioned``: kept for that frame's outermost page alone. Browsers
    name a frame to https and loopback addresses only, where ``Secure`` cookies are taken.
    Source: https://www.rfc-editor.org/rfc/rfc6265, https://www.w3.org/TR/fetch-metadata/,
    https://developer.mozilla.org/docs/Web/Privacy/Guides/Privacy_sandbox/Partitioned_cookies
    """
    headers, server = scope["headers"], scope.get("server")
    # Cookies are shared by all ports of a host, sessions are not.
    cookie = f"remora_{server[1] if server else 0}={session}; Path=/; HttpOnly"
    if header(headers, b"sec-fetch-dest") in {"iframe", "frame"}:
        return f"{cookie}; Secure; SameSite=None; Partitioned"
    secure = "https" in (scope.get("scheme"), header(headers, b"x-forwarded-proto"))
    return f"{cookie}; SameSite=Strict{'; Secure' if secure else ''}"


def cookies_of(scope: Scope) -> dict[str, str]:
    """The cookies of a request; what can't be read is none."""
    found = b"; ".join(value for name, value in scope["headers"] if name == b"cookie")
    try:
        return {
            name: morsel.value for name, morsel in SimpleCookie(found.decode("latin-1")).items()
        }
    except CookieError:
        return {}
