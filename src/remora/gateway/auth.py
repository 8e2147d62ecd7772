"""Who may ask: API keys, admin keys, and what is open to this machine when there are none.

The rule is by path, and closed by default: what is not named here needs an API key.

| path                | with keys                     | with none at all                     |
| ------------------- | ----------------------------- | ------------------------------------ |
| ``/livez /readyz``  | open                          | open                                 |
| ``/admin/…``        | an admin key; off without one | this machine, not from other origins |
| ``/metrics``        | an API key or an admin key    | this machine                         |
| everything else     | an API key                    | this machine, or a permitted origin  |

"This machine" is a loopback peer that wrote a loopback name into ``Host``: a web page that makes
its own host name resolve to 127.0.0.1 (DNS rebinding) can't do that.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import TYPE_CHECKING

from remora.errors import Unauthorized
from remora.gateway.errors import Forbidden
from remora.gateway.settings import GatewaySettings
from remora.loopback import header, host_name, is_loopback, is_own_origin

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_OPEN = frozenset({"/livez", "/readyz"})


class AuthMiddleware:
    """Raises `Unauthorized` or `Forbidden` before anything of the body is read."""

    def __init__(self, app: ASGIApp, settings: GatewaySettings) -> None:
        self._app = app
        self._settings = settings
        self._api_keys = [key.encode() for key in settings.api_keys]
        self._admin_keys = [key.encode() for key in settings.admin_keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan" and scope["path"] not in _OPEN:
            self._check(scope)
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        path: str = scope["path"]
        if path == "/admin" or path.startswith("/admin/"):
            self._check_admin(scope)
        elif self._api_keys:
            keys = self._api_keys + self._admin_keys if path == "/metrics" else self._api_keys
            if not _matches(_bearer(scope), keys):
                raise _unauthorized("an API key", _bearer(scope))
        else:
            self._check_local(scope, self._settings.cors_origins)

    def _check_admin(self, scope: Scope) -> None:
        if self._admin_keys:
            given = _bearer(scope)
            if _matches(given, self._admin_keys):
                return
            if _matches(given, self._api_keys):
                raise Forbidden("This key opens the models, not the admin API.")
            raise _unauthorized("an admin key", given)
        if self._api_keys:
            raise Forbidden(
                "The admin API is off, because the server has no admin key.",
                hint="Start the server with one.",
            )
        self._check_local(scope, ())

    def _check_local(self, scope: Scope, origins: Sequence[str]) -> None:
        client = scope.get("client")
        host = header(scope["headers"], b"host")
        name = host_name(host)
        if not (client and is_loopback(client[0])):
            raise Forbidden(
                "This server has no API key, so it answers only programs on its own machine.",
                hint="Start the server with an API key.",
            )
        if not (is_loopback(name) or name in self._settings.allowed_hosts):
            raise Forbidden(
                f"The request names the host {name!r}, which is not a name of this machine.",
                hint="Use http://127.0.0.1, or start the server with an API key.",
            )
        if not is_own_origin(header(scope["headers"], b"origin"), host, origins):
            raise Forbidden(
                "Web pages of other origins may not use this.",
                hint="Permit the origin in the server's settings, or use an API key.",
            )


def _matches(given: bytes, keys: Sequence[bytes]) -> bool:
    """Compare with every key, each in constant time, so that timing tells nothing."""
    return sum(hmac.compare_digest(given, key) for key in keys) > 0


def _bearer(scope: Scope) -> bytes:
    scheme, _, key = _header(scope, b"authorization").partition(b" ")
    return key.strip() if scheme.lower() == b"bearer" else b""


def _unauthorized(what: str, given: bytes) -> Unauthorized:
    problem = "That is not" if given else "This needs"
    return Unauthorized(
        f"{problem} {what} of this server.",
        hint="Send it as the header 'Authorization: Bearer KEY'.",
    )


def _header(scope: Scope, name: bytes) -> bytes:
    for key, value in scope["headers"]:
        if key == name:
            found: bytes = value
            return found
    return b""
