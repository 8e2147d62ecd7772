"""An interface for people beside the API: it gets every path that is not the API's.

The API keeps its own rule of who may ask, for its own paths; the interface has one of its own, for
it must show a page to those who have not given a key yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from remora.gateway.app import Routes

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class Interface(Protocol):
    """An ASGI app that answers from the start, and may have more to show while it runs."""

    async def run(self) -> None:
        """Begun when the backend is ready, and cancelled when the server ends."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


class BesideApi:
    """The API, and beside it the interface, which is made when somebody first asks for it."""

    def __init__(
        self, api: ASGIApp, make_interface: Callable[[], Interface], routes: Routes
    ) -> None:
        self._api = api
        self._make = make_interface
        self._made: Interface | None = None
        self._asked = asyncio.Event()
        self._of_the_api = {path.split("/")[1] for _, path, _ in routes} | {"openapi.json"}
        # What a client asks for whose base URL lacks the version: the API says so.
        self._without_version = {path.removeprefix("/v1") for _, path, _ in routes}

    async def run(self) -> None:
        """Run the interface from when it is asked for; end it by cancelling."""
        await self._asked.wait()
        await self._interface().run()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._interface() if self._is_page(scope) else self._api)(scope, receive, send)

    def _is_page(self, scope: Scope) -> bool:
        if scope["type"] != "http" or scope["path"] in self._without_version:
            return False
        return scope["path"].split("/")[1] not in self._of_the_api

    def _interface(self) -> Interface:
        if self._made is None:
            self._made = self._make()
            self._asked.set()
        return self._made
